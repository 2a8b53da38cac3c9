import Foundation
import Testing

@testable import ApusServer

@Suite struct BasePathTests {
    @Test func `without a prefix every path is its own`() {
        let none = BasePath("")
        for path in ["/", "/topics", "/v1/ws", ""] {
            #expect(none.rest(of: path[...]) == path[...])
        }
    }

    @Test(arguments: [
        ("/apus/topics", "/topics"), ("/apus/v1/ws", "/v1/ws"), ("/apus/", "/"), ("/apus/apus/x", "/apus/x"),
        ("/apus/livez", "/livez"),
    ])
    func `what is below it is found`(path: String, rest: Substring) {
        #expect(BasePath("/apus").rest(of: path) == rest)
    }

    @Test(arguments: [
        ("/apus/topics", "/topics"), ("/apus/v1/ws", "/ws"), ("/apus/livez", "/livez"), ("/livez", "/livez"),
        ("/readyz", "/readyz"), ("/apus/", "/"), ("/apus//", nil), ("/v1/livez", nil), ("/apus/v1/livez", nil),
    ])
    func `endpoints are below it, and those of the machine also without it`(path: String, endpoint: String?) {
        #expect(BasePath("/apus").endpoint(at: path)?.endpoint.path == endpoint)
    }

    @Test(arguments: [
        "", "/", "/apus", "/apusx/topics", "/APUS/topics", "/topics", "/v1/apus/topics", "/health", "/apu/s/topics",
    ])
    func `what is not is nothing`(path: String) {
        #expect(BasePath("/apus").rest(of: path) == nil)
        #expect(BasePath("/apus").endpoint(at: path)?.endpoint.path == nil)
    }

    @Test(arguments: ["", "/a/b.c"])
    func `the documents know of it`(basePath: String) throws {
        let document = try JSONSerialization.jsonObject(with: Data(OpenAPIDocument.json(basePath: basePath).utf8))
        let servers = try #require((document as? [String: Any])?["servers"] as? [[String: String]])
        #expect(servers.map { $0["url"] } == [basePath.isEmpty ? "/" : basePath])
        #expect(BrowserClient.text(basePath: basePath).contains("\nconst BASE_PATH = \"\(basePath)\";\n"))
    }
}

@Suite struct StaticDocumentTests {
    @Test(arguments: [
        (["gzip"], true), (["br", "x-gzip"], true), (["*"], true), (["GZIP;Q=0.1"], true),
        (["deflate, gzip ; q=0.5"], true), ([], false),
        (["gzip;q=0"], false), (["identity"], false), (["*;q=0.0"], false), (["gzip;q=0, *;q=1"], false),
        (["gzip;q=x"], false),
        (["gzip;q=0.5, identity"], false), ([",;,=q"], false), (["gzipped"], false),
    ])
    func `gzip is for those who take it before anything else`(values: [String], takes: Bool) {
        #expect(AcceptEncoding(values).takesGzip == takes)
    }

    @Test(arguments: [
        ["\"a\""], ["W/\"a\""], ["*"], ["\"b\", \"a\""], ["\"b\"", " W/\"a\" "], [",\"a\","],
    ])
    func `a tag that is known matches`(values: [String]) {
        #expect(EntityTags.match("\"a\"", values))
    }

    @Test(arguments: [[], [""], ["\"b\""], ["a"], ["W/"], ["\"A\""], ["**"]])
    func `another does not`(values: [String]) {
        #expect(!EntityTags.match("\"a\"", values))
    }
}
