import Foundation
import HTTPTypes
import Testing

@testable import ApusProtocol
@testable import ApusServer

/// The table of fields against the readers, the OpenAPI document and the documentation.
@Suite struct FieldTests {
    private static let settings = ServerConfiguration()

    private static func fields(in places: Field.Place...) -> [Field] {
        Field.all.filter { !Set(places).isDisjoint(with: $0.places) }
    }

    // MARK: Readers

    @Test func `commands have the extension fields of the table, and no others`() {
        let names = Self.fields(in: .subscribe, .publish).map(\.name)
        #expect(Set(names) == Set(ExtensionField.allCases.map { "\($0)" }))
    }

    /// What the reader of a command says of it; `nil` when it accepts it.
    private func refusal(of place: Field.Place, with field: Field, _ value: String) -> String? {
        let isPublish = place == .publish
        let message = field.name == "messages" ? "" : #","message":{"id":"a","payload":1}"#
        let rest = isPublish ? message : #","client_id":"c""#
        let type = isPublish ? "publish" : "subscribe"
        let text = #"{"type":"\#(type)","topic":"t"\#(rest),"\#(field.name)":\#(value)}"#
        return Array(text.utf8).withUnsafeBytes { bytes in
            do throws(CommandError) {
                let scanner = CommandScanner()
                let command = try scanner.scan(bytes, dialect: .v1, knownValidUTF8: false)
                let limits = Self.settings.limits
                if isPublish {
                    _ = try scanner.publishExtensions(of: command, in: bytes, dialect: .v1, maxBatch: limits.maxBatch)
                        .get()
                } else {
                    _ = try scanner.subscribeExtensions(of: command, in: bytes, maxQueue: limits.maxQueue).get()
                }
                return nil
            } catch {
                return error.message
            }
        }
    }

    /// A value that is right for a field, and some that are not.
    private func samples(of field: Field) -> (right: [String], wrong: [String]) {
        let range = field.range(Self.settings.limits)
        switch field.kind {
        case .flag: return (["true", "false"], ["{}", "1", #""true""#])
        case .integer:
            return (
                ["\(range.lowerBound)", "\(range.upperBound)"], ["\(range.lowerBound - 1)", "\(range.upperBound + 1)"]
            )
        case .text:
            let longest = String(repeating: "k", count: range.upperBound)
            return ([#""k""#, #""\#(longest)""#], ["1", #""""#, #""\#(longest)k""#])
        case .duration:
            let most = range.upperBound / 1000
            return ([#""30s""#, "0.001", "\(most)"], ["{}", "0", #""30""#, "\(most + 1)"])
        case .rate: return (["0", "100", #""100/s""#, #""30/m""#], ["-1", "1.5", #""fast""#, #""1/d""#, "true"])
        case .policy: return ([#""latest""#], ["1", #""newest""#])
        case .messages: return ([#"[{"id":"a","payload":1}]"#], ["[]", "{}", "[1]"])
        case .schema: return ([#""10m""#, #"{"epoch":"e","offset":1}"#], ["1", "{}", #""soon""#])
        case .traceContext: return ([#""00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01""#, #""k""#, "1"], [])
        case .topics, .choice: return ([], [])
        }
    }

    @Test(arguments: [Field.Place.subscribe, .publish])
    func `a command's reader accepts what the table says, and names the field otherwise`(place: Field.Place) {
        for field in Self.fields(in: place) {
            let samples = samples(of: field)
            for value in samples.right {
                #expect(refusal(of: place, with: field, value) == nil, "\(field.name) \(value)")
            }
            for value in samples.wrong {
                let refusal = refusal(of: place, with: field, value)
                #expect(
                    refusal?.hasPrefix("'\(field.name)") == true,
                    "\(field.name) \(value): \(refusal ?? "accepted")"
                )
            }
        }
    }

    @Test func `the reader of settings accepts what the table says, and names the field otherwise`() {
        func refusal(_ field: Field, _ value: String) -> String? {
            let result = Array(#"{"\#(field.name)":\#(value)}"#.utf8).withUnsafeBytes {
                TopicSettingsFields.read($0, maxQueue: Self.settings.limits.maxQueue)
            }
            if case .failure(let error) = result { return error.message } else { return nil }
        }
        for field in Self.fields(in: .settings) {
            let samples = samples(of: field)
            for value in samples.right + ["null"] { #expect(refusal(field, value) == nil, "\(field.name) \(value)") }
            for value in samples.wrong {
                #expect(refusal(field, value)?.hasPrefix("'\(field.name)") == true, "\(field.name) \(value)")
            }
        }
        let properties = Mirror(reflecting: TopicSettingsFields()).children.count
        #expect(properties == Self.fields(in: .settings).count)
    }

    // MARK: The OpenAPI document

    @Test func `every field is in the OpenAPI document where it is allowed, and no other`() throws {
        let text = OpenAPIDocument.json(settings: Self.settings)
        let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let components = try #require(document["components"] as? [String: [String: Any]])
        let parameters = try #require(components["parameters"] as? [String: [String: Any]])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        for endpoint in Endpoint.all {
            for (path, method) in endpoint.paths.flatMap({ path in endpoint.methods.map { (path.path, $0) } }) {
                let item = try #require(paths[path]?[method.name.rawValue.lowercased()] as? [String: Any])
                let given = item["parameters"] as? [[String: String]] ?? []
                let names = given.compactMap { $0["$ref"]?.split(separator: "/").last.map(String.init) }
                let fields = Self.fields(in: .query(method.operation), .header(method.operation))
                #expect(Set(names).subtracting(["Name"]) == Set(fields.map(\.component)), "\(method.operation)")
                for field in fields {
                    let parameter = try #require(parameters[field.component], "\(field.component)")
                    let isHeader = field.places.contains(.header(method.operation))
                    #expect(parameter["name"] as? String == field.name)
                    #expect(parameter["in"] as? String == (isHeader ? "header" : "query"))
                }
            }
        }
        let change = try #require(components["schemas"]?["ChangeTopic"] as? [String: Any])
        let properties = try #require(change["properties"] as? [String: Any])
        #expect(Set(properties.keys) == Set(Self.fields(in: .settings).map(\.name)))
    }

    // MARK: The documentation

    /// The section of the page that describes a place.
    private static func heading(of place: Field.Place) -> String {
        switch place {
        case .subscribe: "### subscribe"
        case .publish: "### publish"
        case .settings, .query(.listSubscribers), .query(.listTopicSubscribers), .query(.traceMessage): "## Topics"
        case .query(.readMessages): "### Read and wait"
        case .query(.followTopic), .query(.followTopics), .header(.followTopic): "## Event streams"
        case .query(.followConsole): "## The stream of figures"
        case .query(.getConsoleTopics), .query(.getConsoleLog): "## The same as JSON"
        default: "### Publish"
        }
    }

    @Test func `docs/protocol.md and docs/console.md name every field where it is allowed`() throws {
        let repository = URL(filePath: #filePath).appending(path: "../../../..").standardized
        let page = try ["docs/protocol.md", "docs/console.md"].map {
            try String(contentsOf: repository.appending(path: $0), encoding: .utf8)
        }.joined(separator: "\n")
        for field in Field.all {
            for heading in field.places.map(Self.heading) {
                let start = try #require(page.firstRange(of: "\n\(heading)\n"), "\(heading)")
                let rest = page[start.upperBound...]
                let section = rest[..<(rest.firstRange(of: "\n#")?.lowerBound ?? rest.endIndex)]
                let codes = section.matches(of: /`([^`\n]+)`/).flatMap { $0.1.split { "&?=: ".contains($0) } }
                #expect(codes.contains { $0 == field.name }, "\(field.name) in \(heading)")
            }
        }
    }
}
