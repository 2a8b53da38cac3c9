import ApusProtocol
import Foundation
import Testing

@testable import ApusServer

/// The AsyncAPI document against the tables.
@Suite struct AsyncAPITests {
    private static func messages() throws -> [String: [String: Any]] {
        let text = AsyncAPIDocument.json()
        let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let components = try #require(document["components"] as? [String: Any])
        return try #require(components["messages"] as? [String: [String: Any]])
    }

    private static func members(_ name: String) throws -> [String: [String: Any]] {
        let payload = try #require(try messages()[name]?["payload"] as? [String: Any])
        return try #require(payload["properties"] as? [String: [String: Any]])
    }

    @Test(arguments: ["", "/a/b"])
    func `no placeholder is left`(basePath: String) {
        #expect(!AsyncAPIDocument.json(basePath: basePath).contains("{{"))
    }

    @Test(arguments: ["", "V1"])
    func `commands have the members of the contract and the fields of the table, and no others`(suffix: String) throws {
        let contract: Set = ["type", "topic", "client_id", "last_n", "request_id", "message"]
        let subscribe = Set(try Self.members("subscribe\(suffix)").keys)
        let publish = try Set(Self.members("publish\(suffix)").keys)
            .union(Self.members("publishBatch\(suffix)").keys)
        let fields = { (place: Field.Place) in Set(Field.all.filter { $0.places.contains(place) }.map(\.name)) }
        #expect(subscribe.subtracting(contract) == fields(.subscribe))
        #expect(publish.subtracting(contract) == fields(.publish))
    }

    @Test func `policies are those of the broker, and codes are known`() throws {
        let policies = try #require(try Self.members("subscribe")["overflow"]?["enum"] as? [String])
        #expect(policies == OverflowPolicy.allCases.map(\.rawValue))
        let error = try #require(try Self.members("error")["error"]?["properties"] as? [String: [String: Any]])
        let codes = try #require(error["code"]?["enum"] as? [String])
        #expect(codes.allSatisfy { ErrorCode(rawValue: $0) != nil } && codes.contains("BAD_REQUEST"))
    }
}
