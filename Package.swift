// swift-tools-version:6.2

import PackageDescription

let plainSettings: [SwiftSetting] = {
    var settings: [SwiftSetting] = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ]
    // `dev/check` and CI set this; people who only build Apus are not stopped by a newer compiler's warning.
    if Context.environment["APUS_STRICT"] == "1" {
        settings.append(.treatAllWarnings(as: .error))
    }
    return settings
}()

// `dev/sanitize` and `Fuzz/run` set this. Only our own code is instrumented, so its packages need no second build.
let instrumentation = Context.environment["APUS_INSTRUMENTATION"]
let isFuzzing = instrumentation == "fuzzing"
let instrumentationFlags: [String] =
    switch instrumentation {
    case "fuzzing":
        [
            "-enable-testing", "-sanitize=address",
            "-sanitize-coverage=edge,indirect-calls,trace-cmp,inline-8bit-counters,pc-table",
        ]
    case "address": ["-sanitize=address"]
    default: []
    }
let swiftSettings =
    instrumentationFlags.isEmpty ? plainSettings : plainSettings + [.unsafeFlags(instrumentationFlags)]
// Of the lowest target, for all programs with our code in them.
let linkerSettings: [LinkerSetting] = instrumentationFlags.isEmpty ? [] : [.unsafeFlags(["-sanitize=address"])]

// The targets of `Fuzz` are used in two ways: tests replay the corpus, and `Fuzz/run` builds libFuzzer around them.
let fuzzDependencies: [Target.Dependency] = [
    "ApusAccess",
    "ApusBroker",
    "ApusProtocol",
    "ApusServer",
    "ApusSockets",
    "ApusStore",
    "ApusTLS",
    .product(name: "Crypto", package: "swift-crypto"),
    .product(name: "Logging", package: "swift-log"),
    .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOEmbedded", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]
let fuzzing: Target =
    isFuzzing
    ? .executableTarget(
        name: "apus-fuzz",
        dependencies: fuzzDependencies,
        path: "Fuzz",
        exclude: ["Corpus", "Dictionaries", "Replay", "README.md", "run"],
        sources: ["Driver", "Targets"],
        swiftSettings: swiftSettings,
        linkerSettings: [.unsafeFlags([Context.environment["APUS_FUZZ_LIBRARY"] ?? "", "-lstdc++"])]
    )
    : .testTarget(
        name: "FuzzTests",
        dependencies: fuzzDependencies,
        path: "Fuzz",
        exclude: ["Corpus", "Dictionaries", "Driver", "README.md", "run"],
        sources: ["Replay", "Targets"],
        swiftSettings: swiftSettings
    )

let package = Package(
    name: "apus",
    products: [
        .executable(name: "apus", targets: ["apus"]),
        // These two are products for `Tests/Threads`, a package of its own. Programs get what they need of them from
        // the libraries below.
        .library(name: "ApusProtocol", targets: ["ApusProtocol"]),
        .library(name: "ApusSockets", targets: ["ApusSockets"]),
        .library(name: "ApusBroker", targets: ["ApusBroker"]),
        .library(name: "ApusServer", targets: ["ApusServer"]),
        .library(name: "ApusClient", targets: ["ApusClient"]),
        .library(name: "ApusLoad", targets: ["ApusLoad"]),
        .library(name: "ApusTesting", targets: ["ApusTesting"]),
    ],
    traits: [
        .trait(name: "NATS", description: "Clusters over NATS JetStream; needs Debian's libnats-dev.")
    ],
    dependencies: [
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CNATS", pkgConfig: "libnats", providers: [.apt(["libnats-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "ApusProtocol",
            dependencies: [
                "CZlib",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings,
            linkerSettings: linkerSettings
        ),
        .target(
            name: "ApusBroker",
            dependencies: [
                "ApusProtocol",
                .product(name: "BitCollections", package: "swift-collections"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ApusAccess",
            dependencies: [
                "ApusProtocol",
                "CZlib",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swiftSettings
        ),
        .systemLibrary(name: "CEpoll"),
        .target(name: "CCRC32C"),
        .target(
            name: "ApusSockets",
            dependencies: [
                "CEpoll",
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ApusTLS",
            dependencies: ["ApusSockets", "COpenSSL"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ApusStore",
            dependencies: [
                "ApusSockets",
                "CCRC32C",
                "CEpoll",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ApusJournal",
            dependencies: [
                "ApusBroker",
                "ApusCluster",
                "ApusProtocol",
                "ApusSockets",
                "ApusStore",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        // What a node of a cluster does, without NATS, threads and clocks.
        .target(
            name: "ApusCluster",
            dependencies: [
                "ApusProtocol",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ApusServer",
            dependencies: [
                "ApusAccess",
                "ApusBroker",
                "ApusCluster",
                "ApusJournal",
                "ApusProtocol",
                "ApusSockets",
                "ApusStore",
                "ApusTLS",
                "CEpoll",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "Yams", package: "Yams"),
            ],
            exclude: ["Resources"],
            swiftSettings: swiftSettings,
            plugins: ["EmbedTexts"]
        ),
        // `Sources/ApusServer/Resources` becomes string literals: SwiftPM's own `embedInCode` makes arrays of bytes,
        // over which the optimizer sits for minutes.
        .executableTarget(name: "EmbedTextsTool", path: "Plugins/EmbedTextsTool", swiftSettings: plainSettings),
        .plugin(name: "EmbedTexts", capability: .buildTool(), dependencies: ["EmbedTextsTool"]),
        .target(
            name: "ApusNATS",
            dependencies: [
                "ApusCluster",
                "ApusProtocol",
                "ApusSockets",
                .target(name: "CNATS", condition: .when(traits: ["NATS"])),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ApusClient",
            dependencies: [
                "ApusProtocol",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ApusLoad",
            dependencies: [
                "ApusProtocol",
                "ApusSockets",
                "ApusTLS",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: swiftSettings
        ),
        // What `apus verify` checks, apart from the command, so that tests need not link the program.
        .target(
            name: "ApusVerify",
            dependencies: [
                "ApusClient",
                "ApusProtocol",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: swiftSettings
        ),
        // What `apus conformance` checks, apart from the command.
        .target(
            name: "ApusConformance",
            dependencies: [
                "ApusClient",
                "ApusProtocol",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ApusTesting",
            dependencies: [
                "ApusBroker",
                "ApusCluster",
                "ApusProtocol",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "apus",
            dependencies: [
                "ApusAccess",
                "ApusClient",
                "ApusCluster",
                "ApusConformance",
                "ApusJournal",
                "ApusLoad",
                .target(name: "ApusNATS", condition: .when(traits: ["NATS"])),
                "ApusProtocol",
                "ApusServer",
                "ApusSockets",
                "ApusStore",
                "ApusTLS",
                "ApusVerify",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        // Benchmarks of what is inside the libraries; those of the whole server are a package of their own.
        .executableTarget(
            name: "filter-bench",
            dependencies: ["ApusBroker", "ApusProtocol"],
            path: "Benchmarks/Sources/filter-bench",
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "counted-server",
            dependencies: [
                "ApusServer",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Benchmarks/Sources/counted-server",
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "path-bench",
            dependencies: ["ApusBroker", "ApusProtocol", .product(name: "NIOCore", package: "swift-nio")],
            path: "Benchmarks/Sources/path-bench",
            swiftSettings: swiftSettings
        ),
        // Built with the tests, but not by those who build the server.
        .executableTarget(
            name: "example-embed",
            dependencies: ["ApusBroker"],
            path: "Examples/embed",
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "example-hummingbird-app",
            dependencies: [
                "ApusBroker",
                "ApusServer",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Examples/hummingbird-app",
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "example-orders",
            dependencies: ["ApusClient"],
            path: "Examples/swift",
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusProtocolTests",
            dependencies: ["ApusProtocol", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusAccessTests",
            dependencies: [
                "ApusAccess",
                "ApusClient",
                "ApusProtocol",
                "ApusTesting",
                "apus",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            exclude: ["Resources"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusBrokerTests",
            dependencies: [
                "ApusBroker", "ApusProtocol", "ApusTesting", .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusClusterTests",
            dependencies: [
                "ApusCluster",
                "ApusProtocol",
                "ApusTesting",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .systemLibrary(name: "CAllocated", path: "Tests/NATS/CAllocated"),
        // The client of NATS against real servers. Empty without the trait.
        .testTarget(
            name: "ApusNATSTests",
            dependencies: [
                "ApusNATS",
                "CAllocated",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Tests/NATS/Tests",
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusSocketsTests",
            dependencies: [
                "ApusSockets",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusServerTests",
            dependencies: [
                "ApusAccess",
                "ApusBroker",
                "ApusCluster",
                "ApusProtocol",
                "ApusServer",
                "ApusSockets",
                "ApusTLS",
                "ApusTesting",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusClientTests",
            dependencies: [
                "ApusBroker",
                "ApusClient",
                "ApusConformance",
                "ApusProtocol",
                "ApusServer",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusLoadTests",
            dependencies: ["ApusLoad", .product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusJournalTests",
            dependencies: [
                "ApusBroker",
                "ApusCluster",
                "ApusJournal",
                "ApusProtocol",
                "ApusStore",
                "ApusTesting",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusStoreTests",
            dependencies: ["ApusStore", "ApusTesting", "CCRC32C", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "VerifyTests",
            dependencies: [
                "ApusClient",
                "ApusVerify",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusCommandTests",
            dependencies: [
                "ApusClient",
                "ApusLoad",
                "ApusProtocol",
                "ApusServer",
                "ApusVerify",
                "apus",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings
        ),
        fuzzing,
    ]
)
