import ApusAccess
import ApusProtocol
import HTTPTypes
import NIOCore
import Testing

@testable import ApusServer

@Suite struct HandshakeTests {
    private static let good = [
        "upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ]

    private func check(
        _ changes: [String: String?] = [:],
        query: String = "",
        keys: [String] = [],
        certificateName: String? = nil
    ) throws -> Result<Handshake, Handshake.Refusal> {
        var headers = Self.good
        for (name, value) in changes { headers[name] = value }
        return try Handshake.check(
            dialect: .base,
            query: Substring(query),
            access: .keys(keys),
            certificateName: certificateName
        ) { headers[$0] }
    }

    @Test func `a certificate says who the client is, unless the request does`() throws {
        let (key, other) = (try APIKey(old: "k"), try APIKey(old: "l"))
        func identity(_ name: String?, _ changes: [String: String?] = [:]) throws -> Handshake.Identity? {
            try? check(changes, keys: ["k", "l"], certificateName: name).get().identity
        }
        #expect(try identity(key.id) == .known(.admitted(ClientAccess(Principal(certified: key)))))
        #expect(try identity("nobody") == .known(.anonymous))
        #expect(try identity(key.id, ["x-api-key": "l"]) == .known(.admitted(ClientAccess(Principal(other)))))
        #expect(try identity(key.id, ["x-api-key": "wrong"]) == nil)
    }

    @Test func `the RFC's own handshake is taken`() throws {
        #expect(try check() == .success(Handshake(dialect: .base, identity: .known(.open))))
    }

    @Test func `compression is offered by the client and taken if the server wants it`() throws {
        for offer in ["permessage-deflate", "permessage-deflate; server_max_window_bits=9", "x", nil] {
            for compresses in [true, false] {
                var headers = Self.good
                headers["sec-websocket-extensions"] = offer
                let result = try Handshake.check(
                    dialect: .v1,
                    query: "",
                    access: .keys([]),
                    compresses: compresses
                ) { headers[$0] }
                let deflate = compresses ? offer.flatMap { PermessageDeflate(offers: $0) } : nil
                #expect(result == .success(Handshake(dialect: .v1, identity: .known(.open), deflate: deflate)))
                #expect((deflate != nil) == (compresses && offer?.hasPrefix("permessage") == true))
            }
        }
    }

    @Test(arguments: [
        ("upgrade", "WebSocket"), ("upgrade", "h2c, websocket"), ("connection", "keep-alive, Upgrade"),
        ("connection", "upgrade"), ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("sec-websocket-key", "+/09azAZ+/09azAZ+/09aw=="),
    ])
    func `other ways to write it are taken`(name: String, value: String) throws {
        #expect(try check([name: value]) == .success(Handshake(dialect: .base, identity: .known(.open))))
    }

    @Test(arguments: [
        ("apus", true), ("chat, apus", true), (" apus ,x", true), ("Apus", false), ("apusx", false), ("", false),
        ("a pus", false), (nil, false),
    ])
    func `the one subprotocol is answered to who offers it`(offer: String?, isTaken: Bool) throws {
        let handshake = try check(["sec-websocket-protocol": offer]).get()
        #expect(handshake.speaksApus == isTaken)
        let answer = String(buffer: handshake.response(to: "x"))
        #expect(answer.contains("\r\nSec-WebSocket-Protocol: apus\r\n") == isTaken)
        #expect(answer.contains("Sec-WebSocket-Protocol") == isTaken && answer.hasSuffix("\r\n\r\n"))
    }

    @Test func `each kind of refusal has a reason of its own`() throws {
        let refusals: [Handshake.Refusal] = [
            .notUpgrading, .unsupportedVersion, .malformed("x"), .unauthorized(Problem(.unauthorized, "x")),
            .foreign(.foreignOrigin("x")),
            .foreign(.foreignHost("x")), .draining, .tooMany(1),
            .tooManyOfAddress(AddressBudget.Exceeded(limit: 1)), .timedOut,
        ]
        #expect(refusals.map(\.reason) == Handshake.Refusal.Reason.allCases)
        #expect(refusals.map(\.problem.code.status) == [426, 426, 400, 401, 403, 403, 503, 503, 503, 408])
    }

    @Test func `what asks for no WebSocket is told to`() throws {
        for value in [nil, "", "h2c"] as [String?] { #expect(try check(["upgrade": value]) == .failure(.notUpgrading)) }
        #expect(Handshake.Refusal.notUpgrading.problem.code == .upgradeRequired)
    }

    @Test func `another version is told the one there is`() throws {
        for value in [nil, "", "8", "14", "013", "13, 8"] as [String?] {
            #expect(try check(["sec-websocket-version": value]) == .failure(.unsupportedVersion))
        }
        let headers = Handshake.Refusal.unsupportedVersion.problem.headers
        #expect(headers.contains { $0.0 == .secWebSocketVersion && $0.1 == "13" })
    }

    @Test func `a missing or broken header is named`() throws {
        for value in [nil, "", "keep-alive", "close"] as [String?] {
            #expect(
                try check(["connection": value])
                    == .failure(.malformed("The Connection header does not ask for an upgrade"))
            )
        }
        for value in [
            nil, "", "short==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZQ=A",
            "dGhlIHNhbXBsZSBub25 ZQ==", "dGhlIHNhbXBsZSBub25jZQ==x", "dGhlIHNhbXBsZSBub2-_ZQ==",
        ] as [String?] {
            #expect(
                try check(["sec-websocket-key": value])
                    == .failure(.malformed("Sec-WebSocket-Key is not 16 bytes in base64"))
            )
        }
    }

    @Test(
        arguments: [
            (nil, "", .success(false)), ("k", "", .success(true)), ("x", "", .failure),
            ("", "", .failure), (nil, "api_key=k", .success(true)), (nil, "a=b&api_key=k", .success(true)),
            (nil, "api_key=x", .failure), (nil, "api_key=", .failure), (nil, "api_key", .success(false)),
            (nil, "api_key=%6b", .success(true)), (nil, "api_key=%6", .failure), (nil, "my_api_key=k", .success(false)),
            ("k", "api_key=x", .success(true)), ("x", "api_key=k", .failure),
        ] as [(String?, String, Expected)]
    )
    func `a key opens, a wrong one closes, and without one the first message must bring it`(
        header: String?,
        query: String,
        expected: Expected
    ) throws {
        let result = try check(["x-api-key": header], query: query, keys: ["k", "other"])
        switch expected {
        case .success(let isAdmitted):
            let admission =
                isAdmitted
                ? AccessControl.Admission.admitted(ClientAccess(Principal(try APIKey(old: "k")))) : .anonymous
            #expect(result == .success(Handshake(dialect: .base, identity: .known(admission))))
        case .failure:
            guard case .failure(.unauthorized(let problem)) = result else { Issue.record("it was taken"); return }
            #expect(problem.code == .unauthorized && problem.headers.map(\.1) == [#"ApiKey realm="apus""#])
        }
    }

    enum Expected: Sendable {
        case success(Bool)
        case failure
    }

    @Test func `a broken handshake is refused before its key is looked at`() throws {
        let result = try check(["upgrade": nil, "x-api-key": "wrong"], keys: ["k"])
        #expect(result == .failure(.notUpgrading))
    }

    @Test func `the RFC's sample key has the RFC's sample answer`() throws {
        #expect(Handshake.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }
}

@Suite struct PercentDecodingTests {
    @Test(arguments: [
        ("", ""), ("abc", "abc"), ("a%2Fb", "a/b"), ("a%2fb", "a/b"), ("%41%42", "AB"), ("%C3%A9", "é"),
        ("%F0%9F%98%80", "😀"), ("a+b", "a+b"), ("%25", "%"), ("%2541", "%41"), ("é", "é"), ("%00", "\u{0}"),
        ("%", nil), ("%4", nil), ("a%", nil), ("%4g", nil), ("%g4", nil), ("%+1", nil), ("% 1", nil), ("%-1", nil),
        ("%%41", nil), ("%C3", nil), ("%FF", nil), ("%ED%A0%80", nil), ("%4\u{E9}", nil),
    ])
    func `escapes are undone, and broken ones are none`(text: String, decoded: String?) {
        #expect(percentDecoded(Substring(text)) == decoded)
    }
}
