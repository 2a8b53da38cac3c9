// swift-tools-version:6.2

import PackageDescription

// A package of its own, so that ThreadSanitizer builds what is watched and no more: no TLS, no command line, no other
// tests.
let swiftSettings: [SwiftSetting] = {
    var settings: [SwiftSetting] = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ]
    if Context.environment["APUS_STRICT"] == "1" {
        settings.append(.treatAllWarnings(as: .error))
    }
    return settings
}()

let package = Package(
    name: "apus-threads",
    dependencies: [
        .package(name: "apus", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(name: "ReferenceCounts", path: "ReferenceCounts"),
        .testTarget(
            name: "ThreadTests",
            dependencies: [
                "ReferenceCounts",
                .product(name: "ApusBroker", package: "apus"),
                .product(name: "ApusProtocol", package: "apus"),
                .product(name: "ApusServer", package: "apus"),
                .product(name: "ApusSockets", package: "apus"),
                .product(name: "ApusTesting", package: "apus"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests",
            swiftSettings: swiftSettings
        ),
    ]
)
