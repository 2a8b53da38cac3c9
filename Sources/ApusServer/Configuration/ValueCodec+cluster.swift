extension ValueCodec where Value == [String] {
    /// URLs of NATS servers. They are secret, since a password may be in them.
    static var natsServers: ValueCodec {
        ValueCodec(
            valueName: "url",
            isSecret: true,
            isList: true,
            read: { raw throws(ValueFault) in
                let urls = raw.elements.flatMap { $0.split(separator: ",").map(String.init) }
                guard urls.count <= 64, urls.allSatisfy(isServer) else {
                    throw ValueFault(reason: "is not a list of at most 64 URLs such as nats://127.0.0.1:4222")
                }
                return urls
            },
            show: { .texts($0) }
        )
    }

    private static func isServer(_ url: String) -> Bool {
        let scheme = ["nats://", "tls://"].first { url.hasPrefix($0) }
        guard let scheme, url.utf8.count <= 2048, url.utf8.count > scheme.utf8.count else { return false }
        return url.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
