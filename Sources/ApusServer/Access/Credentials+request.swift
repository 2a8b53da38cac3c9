import ApusAccess

extension Credentials {
    /// The credentials of a request.
    ///
    /// - Parameters:
    ///   - query: the text after the question mark, where the address may hold a credential.
    ///   - certificateName: the common name of the connection's client certificate.
    ///   - header: the values of a header field as one list, by its lower-case name.
    init(
        query: some StringProtocol,
        isHandshake: Bool = false,
        certificateName: String? = nil,
        header: (String) -> String?
    ) {
        func parameter(_ name: String) -> String? {
            let part = Substring(query).split(separator: "&").first { $0.hasPrefix(name + "=") }
            // One that cannot be decoded is a wrong credential, not a missing one.
            return part.map { percentDecoded($0.dropFirst(name.count + 1)) ?? "" }
        }
        self.init(
            keyHeaders: header("x-api-key").map { [$0] } ?? [],
            authorization: header("authorization").map { [$0] } ?? [],
            key: parameter("api_key"),
            token: parameter("token"),
            certificateName: certificateName
        )
        guard isHandshake, let offers = header("sec-websocket-protocol") else { return }
        subprotocols = offers.split(separator: ",").map { String($0.trimmingBlanks) }
    }
}
