import ApusProtocol
import Foundation
import HTTPTypes
import Testing

@testable import ApusServer

/// The OpenAPI document against the tables.
@Suite struct OpenAPITests {
    struct Entry: Hashable {
        let path: String
        let method: String
        let id: String
    }

    private static func document(_ settings: ServerConfiguration = ServerConfiguration()) throws -> [String: Any] {
        let text = OpenAPIDocument.json(settings: settings)
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private static func operations(of document: [String: Any]) throws -> [Entry: [String: Any]] {
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        var operations: [Entry: [String: Any]] = [:]
        for (path, item) in paths {
            for (method, operation) in item where method != "parameters" {
                let operation = try #require(operation as? [String: Any])
                let id = try #require(operation["operationId"] as? String)
                operations[Entry(path: path, method: method, id: id)] = operation
            }
        }
        return operations
    }

    @Test func `every endpoint and method is in the document, and no other`() throws {
        let expected = Endpoint.all.flatMap { endpoint in
            endpoint.paths.flatMap { path, dialect in
                endpoint.methods.map { method in
                    let suffix = dialect == .v1 ? "V1" : ""
                    let id = method.operation.rawValue + suffix
                    return Entry(path: path, method: method.name.rawValue.lowercased(), id: id)
                }
            }
        }
        #expect(try Set(Self.operations(of: Self.document()).keys) == Set(expected))
    }

    @Test func `the document names the operations that need no key, and those whose key may be in the query`() throws {
        var settings = ServerConfiguration()
        settings.access.apiKeys = ["k"]
        for (entry, operation) in try Self.operations(of: Self.document(settings)) {
            let endpoint = try #require(Endpoint.at(entry.path[...])?.endpoint)
            let method = try #require(endpoint.methods.first { $0.name.rawValue.lowercased() == entry.method })
            let security = try operation["security"].map { try #require($0 as? [[String: Any]]) }
            let schemes = security?.map { $0.keys.sorted() } ?? [["ApiKeyAuth"], ["BearerAuth"]]
            #expect(schemes.contains([]) == (method.needs != .credential), "\(entry.path)")
            let takesQuery = endpoint.kind == .eventStream || endpoint.kind == .webSocket
            for query in ["ApiKeyQuery", "TokenQuery"] {
                #expect(schemes.contains([query]) == takesQuery, "\(entry.path)")
            }
            let responses = try #require(operation["responses"] as? [String: Any])
            #expect(
                (responses["401"] != nil) == (method.needs != .nothing || endpoint.kind == .webSocket),
                "\(entry.path)"
            )
            #expect((responses["101"] != nil) == (endpoint.kind == .webSocket), "\(entry.path)")
            // Of the server's own address the page is one, and the answer for programs is none.
            let isDocument = endpoint.kind == .document || entry.path == "/"
            #expect((responses["304"] != nil) == isDocument, "\(entry.path)")
        }
    }

    @Test(arguments: ["", "/a/b"])
    func `no placeholder is left`(basePath: String) {
        #expect(!OpenAPIDocument.json(basePath: basePath).contains("{{"))
        for text in [EmbeddedTexts.docs_page_html, EmbeddedTexts.docs_page_css] { #expect(!text.contains("{{")) }
    }

    @Test func `every reference leads somewhere, and every component is referred to`() throws {
        let text = OpenAPIDocument.json()
        let document = try Self.document()
        let components = try #require(document["components"] as? [String: [String: Any]])
        let known = components.filter { $0.key != "securitySchemes" }.flatMap { kind, members in
            members.keys.map { "#/components/\(kind)/\($0)" }
        }
        let references = text.matches(of: /"\$ref": "([^"]*)"/).map { String($0.1) }
        #expect(Set(references) == Set(known))
    }
}

@Suite struct TemplateTests {
    @Test(arguments: [
        ("", ""), ("a", "a"), ("{{t}}", "v"), ("x{{t}}y{{t}}", "xvyv"), (#"{"a": "{{j}}"}"#, #"{"a": [1]}"#),
        (#"{"a": "{{t}}"}"#, #"{"a": "v"}"#), ("{{no}}", "{{no}}"), ("{{t", "{{t"), ("{t}}", "{t}}"), ("{{}}", "{{}}"),
        (#""{{j}} of it""#, #""[1] of it""#),
    ])
    func `a value takes the place of its placeholder`(template: String, text: String) {
        #expect(Template(template).filled(with: ["t": .text("v"), "j": .json("[1]")]) == text)
    }

    @Test func `objects are merged in order`() {
        #expect(Template.merged(["{\"a\": {}}\n", " {\"b\": 1} "]) == #"{"a": {},"b": 1}"#)
    }
}
