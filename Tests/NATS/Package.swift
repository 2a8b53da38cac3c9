// swift-tools-version:6.2

import PackageDescription

// A package of its own: the trait that it turns on changes the flags of every target of Apus, and here only the few
// that a client of NATS takes are built with them.
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
    name: "apus-nats",
    dependencies: [
        .package(name: "apus", path: "../..", traits: ["NATS"]),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .systemLibrary(name: "CAllocated", path: "CAllocated"),
        .testTarget(
            name: "ApusNATSTests",
            dependencies: [
                "CAllocated",
                .product(name: "ApusNATS", package: "apus"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Tests",
            swiftSettings: swiftSettings
        ),
    ]
)
