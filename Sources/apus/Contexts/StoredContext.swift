import ApusProtocol

/// A server and who one is there, as `apus context` keeps it under a name.
struct StoredContext: Codable, Equatable {
    var url: String
    /// The key itself, which is there only for those who asked for that.
    var apiKey: String?
    var apiKeyFile: String?
    var tokenFile: String?
    var ca: String?
    var cert: String?
    var certKey: String?

    private enum CodingKeys: String, CodingKey {
        case url, ca, cert
        case apiKey = "api_key"
        case apiKeyFile = "api_key_file"
        case tokenFile = "token_file"
        case certKey = "cert_key"
    }

    /// The settings as lines and as members of JSON. A key is shown as `***`.
    var shown: [(name: StaticString, value: String)] {
        let all: [(StaticString, String?)] = [
            ("url", url), ("api_key", apiKey.map { _ in "***" }), ("api_key_file", apiKeyFile),
            ("token_file", tokenFile), ("ca", ca), ("cert", cert), ("cert_key", certKey),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }

    /// How one proves who one is, in a word or two.
    var credential: String {
        if apiKey != nil { return "key in this file" }
        if let apiKeyFile { return "key in \(apiKeyFile)" }
        if let tokenFile { return "token in \(tokenFile)" }
        return cert == nil ? "none" : "certificate"
    }

    /// What is wrong with a name; `nil` if nothing is.
    static func fault(ofName name: String) -> String? {
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
            default: false
            }
        }
        guard isPlain, (1...64).contains(name.utf8.count), name.first != "-" else {
            return "a context's name has 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', and starts with no '-'"
        }
        return nil
    }
}
