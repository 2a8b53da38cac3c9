// swift-tools-version:6.2

import PackageDescription

let package = Package(
    name: "orders",
    dependencies: [
        // In a package of your own: .package(url: "…", from: "0.1.0")
        .package(name: "apus", path: "../..")
    ],
    targets: [
        .executableTarget(name: "orders", dependencies: [.product(name: "ApusClient", package: "apus")])
    ]
)
