/// How many elements a list of origins, hosts or proxies may have.
private let maximumSites = 1000

extension ValueCodec where Value == [AllowedOrigin] {
    /// A list of origins.
    static var origins: ValueCodec {
        ValueCodec(
            valueName: "origin",
            isList: true,
            read: { raw throws(ValueFault) in
                let origins = raw.elements.map { AllowedOrigin($0.trimmed) }
                guard origins.count <= maximumSites, !origins.contains(nil) else {
                    throw ValueFault(
                        reason: """
                            is not a list of at most \(maximumSites) origins, such as https://app.example.com, \
                            https://*.example.com or *
                            """
                    )
                }
                return origins.compactMap(\.self)
            },
            show: { .texts($0.map(\.description)) }
        )
    }
}

extension ValueCodec where Value == TrustedProxies {
    /// A list of addresses and ranges.
    static var proxies: ValueCodec {
        ValueCodec(
            valueName: "address",
            isList: true,
            read: { raw throws(ValueFault) in
                let entries = raw.elements.map(\.trimmed)
                guard entries.count <= maximumSites, let proxies = TrustedProxies(entries) else {
                    throw ValueFault(
                        reason: """
                            is not a list of at most \(maximumSites) addresses, such as 10.0.0.1, 10.0.0.0/8, fd00::/8 \
                            or unix
                            """
                    )
                }
                return proxies
            },
            show: { .texts($0.entries) }
        )
    }
}

extension ValueCodec where Value == [String] {
    /// A list of host names, without ports.
    static var hosts: ValueCodec {
        ValueCodec(
            valueName: "name",
            isList: true,
            read: { raw throws(ValueFault) in
                let hosts = raw.elements.map(\.trimmed).map { Authority($0) }
                guard hosts.count <= maximumSites,
                    hosts.allSatisfy({ $0.map { $0.port == nil && !$0.host.contains("*") } ?? false })
                else {
                    throw ValueFault(
                        reason:
                            "is not a list of at most \(maximumSites) host names without ports, such as apus.internal"
                    )
                }
                return hosts.compactMap { $0?.host }
            },
            show: { .texts($0) }
        )
    }
}
