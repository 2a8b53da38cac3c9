import ApusAccess
import Foundation
import Testing

struct KeysFileTests {
    private static let yaml = """
        # Who may come in.
        keys:
          # the shop
          - id: shop
            key_sha256: \(KeyDigest(of: "1").hex)
            rights:
              - {actions: [publish], topics: [orders.>]}   # all orders
              - deny: true
                actions: ["*"]
                topics: [orders.internal.>]

          # the office
          - id: 2024
            key: "2"
            expires: 2027-01-31T00:00:00Z
        """

    @Test func `A file of YAML is read`() throws {
        let file = try KeysFile(text: Self.yaml, isJSON: false)
        #expect(file.keys.map(\.id) == ["shop", "2024"])
        #expect(file.keys[0].rights.allows(.publish, topic: "orders.eu"))
        #expect(!file.keys[0].rights.allows(.publish, topic: "orders.internal.x"))
        #expect(file.keys[0].rules.warnings.isEmpty)
        #expect(file.keys[1].expires == 1_801_353_600_000)
    }

    @Test func `A key that is added or taken out leaves the rest of a YAML file as it is`() throws {
        var file = try KeysFile(text: Self.yaml, isJSON: false)
        let before = file.text
        try file.add(APIKey(id: "new", digest: KeyDigest(of: "3"), rules: .all, label: "a \"label\""))
        #expect(file.text.hasPrefix(before))
        #expect(file.keys.map(\.id) == ["shop", "2024", "new"])
        #expect(try file.remove(id: "shop"))
        #expect(file.text.contains("# Who may come in."))
        #expect(file.text.contains("# the office"))
        #expect(!file.text.contains("orders.internal"))
        #expect(try file.remove(id: "2024"))
        #expect(try file.remove(id: "new"))
        #expect(try !file.remove(id: "new"))
        #expect(file.keys.isEmpty)
        try file.add(APIKey(id: "again", digest: KeyDigest(of: "4"), rules: .none))
        #expect(file.keys.map(\.id) == ["again"])
    }

    @Test func `A file of JSON is written anew`() throws {
        var file = try KeysFile.new(path: "keys.json")
        try file.add(APIKey(id: "a", digest: KeyDigest(of: "1"), rules: .all, expires: 1_801_353_600_000))
        try file.add(APIKey(id: "b", digest: KeyDigest(of: "2"), rules: .none))
        #expect(try file.remove(id: "a"))
        #expect(try KeysFile(text: file.text, isJSON: true).keys.map(\.id) == ["b"])
    }

    @Test func `A new file takes a first key`() throws {
        for path in ["keys.yaml", "keys.json", "keys"] {
            var file = try KeysFile.new(path: path)
            try file.add(APIKey(id: "a", digest: KeyDigest(of: "1"), rules: .all))
            #expect(file.keys.map(\.id) == ["a"])
        }
    }

    @Test(arguments: [
        "keys: [{id: a, key: k}]", "keys:\n  - &x {id: a, key: k}\nother: 1\n", "keys: {}", "- a", "keys:\n - id: [\n",
        "keys:\n  - id: a\n    id: b\n    key: k\n",
    ])
    func `A file that cannot be read or changed is an error that quotes no line`(text: String) {
        let code = refusal {
            var file = try KeysFile(text: text, isJSON: false)
            try file.add(APIKey(id: "b", digest: KeyDigest(of: "1"), rules: .all))
        }
        #expect(code == .file)
    }

    @Test func `A few lines of aliases do not take all memory`() {
        var text = "keys:\n  - &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            text += "  - &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ") + "]\n"
        }
        // A list of so many values would not be refused for them, but these expand to ten thousand millions.
        #expect(refusal { try StructuredFile.value(of: text, isJSON: false, maximumNodes: 10_000) } == .file)
    }

    @Test func `A file has at most so many bytes`() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID()).yaml").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(repeating: UInt8(ascii: "#"), count: 101).write(to: URL(filePath: path))
        #expect(refusal { try StructuredFile.text(of: path, limit: 100) } == .file)
        #expect(try StructuredFile.text(of: path, limit: 101).utf8.count == 101)
        #expect(refusal { try StructuredFile.text(of: path + ".none") } == .file)
    }
}
