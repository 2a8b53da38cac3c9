import ApusProtocol
import ApusTLS

extension ValueCodec where Value == [TLSFiles] {
    /// A list of certificates. A file may write it as a list of mappings; all other sources write it as JSON.
    static var certificates: ValueCodec {
        ValueCodec(
            valueName: "json",
            isStructured: true,
            read: { raw throws(ValueFault) in
                guard case .text(let text) = raw, case .array(let entries)? = JSONValue(text),
                    entries.count <= ServerConfiguration.TLS.maximumCount
                else { throw fault }
                var all: [TLSFiles] = []
                for entry in entries {
                    guard let files = files(entry) else { throw fault }
                    all.append(files)
                }
                return all
            },
            show: { .json("[" + $0.map(\.json).joined(separator: ", ") + "]") }
        )
    }

    private static var fault: ValueFault {
        ValueFault(
            reason: """
                is not a list of at most \(ServerConfiguration.TLS.maximumCount) certificates, each \
                {certificate, key} with the paths of two files
                """
        )
    }

    private static func files(_ entry: JSONValue) -> TLSFiles? {
        guard case .object(let members) = entry, members.count == 2 else { return nil }
        var paths: [String: String] = [:]
        for (name, value) in members {
            guard case .string(let text) = value, !text.isEmpty,
                let path = try? ValueCodec<String>.path.read(.text(text))
            else { return nil }
            paths[name] = path
        }
        guard let certificate = paths["certificate"], let key = paths["key"] else { return nil }
        return TLSFiles(certificate: certificate, key: key)
    }
}

extension TLSFiles {
    /// The entry as JSON, as it may appear in a file.
    fileprivate var json: String {
        "{\"certificate\": \(PlainText.quoted(certificate)), \"key\": \(PlainText.quoted(key))}"
    }
}
