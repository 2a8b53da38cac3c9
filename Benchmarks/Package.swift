// swift-tools-version:6.2

import PackageDescription

// A package of its own, so that building Apus does not build what only measures it.
let package = Package(
    name: "apus-benchmarks",
    dependencies: [
        .package(name: "apus", path: "..")
    ],
    targets: [
        .executableTarget(
            name: "filter-bench",
            dependencies: [.product(name: "ApusBroker", package: "apus")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ]
        )
    ]
)
