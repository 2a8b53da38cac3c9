// swift-tools-version:6.2

import PackageDescription

// A package of its own, so that building Apus does not build what only measures it.
let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "apus-benchmarks",
    dependencies: [
        .package(name: "apus", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        .target(
            name: "PeerProtocols",
            dependencies: [.product(name: "ApusLoad", package: "apus")],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "peer-load",
            dependencies: [
                "PeerProtocols",
                .product(name: "ApusLoad", package: "apus"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "PeerProtocolsTests",
            dependencies: ["PeerProtocols", .product(name: "ApusLoad", package: "apus")],
            swiftSettings: swiftSettings
        ),
    ]
)
