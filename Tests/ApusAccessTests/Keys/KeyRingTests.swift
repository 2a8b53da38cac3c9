import ApusAccess
import ApusProtocol
import ApusTesting
import Testing

struct KeyRingTests {
    private func entry(_ json: String) throws -> APIKey {
        try APIKey(#require(JSONValue(json)))
    }

    @Test func `A key is found by its digest, with its rights`() throws {
        let ring = try KeyRing([
            entry(
                """
                {"id":"orders","key_sha256":"\(KeyDigest(of: "s3cret").hex)","label":"the shop",
                 "rights":[{"actions":["publish"],"topics":["by.{client_id}.>"]}]}
                """
            ),
            entry(#"{"id":"other","key":"another"}"#),
        ])
        let key = try ring.key(presented: "s3cret", at: 0)
        #expect(key.id == "orders")
        #expect(key.label == "the shop")
        #expect(key.rights.allows(.publish, topic: "by.orders.x"))
        #expect(try ring.key(presented: "another", at: 0).rights == .none)
        #expect(refusal { try ring.key(presented: "S3cret", at: 0) } == .unknownKey)
        #expect(refusal { try ring.key(presented: "", at: 0) } == .malformed)
        #expect(refusal { try ring.key(presented: String(repeating: "x", count: 5000), at: 0) } == .malformed)
    }

    @Test func `The digest is the one that sha256sum prints`() {
        #expect(
            KeyDigest(of: "abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        #expect(KeyDigest(hex: KeyDigest(of: "abc").hex.uppercased()) == KeyDigest(of: "abc"))
        #expect(KeyDigest(of: "abd") != KeyDigest(of: "abc"))
        #expect(KeyDigest(hex: "ba78") == nil)
        #expect(KeyDigest(hex: String(repeating: "g", count: 64)) == nil)
    }

    @Test func `A key is refused from the moment on at which it expires`() throws {
        let ring = try KeyRing([entry(#"{"id":"a","key":"k","expires":"1970-01-01T00:00:10Z"}"#)])
        #expect(try ring.key(presented: "k", at: 9999).expires == 10_000)
        #expect(refusal { try ring.key(presented: "k", at: 10_000) } == .expired)
    }

    @Test func `A typo in a key is told from a key that there is not`() throws {
        var random = SeededGenerator(seed: 7)
        let key = KeyForm.make(id: "orders", using: &random)
        let ring = try KeyRing([APIKey(id: "orders", digest: KeyDigest(of: key), rules: .all)])
        #expect(try ring.key(presented: key, at: 0).id == "orders")
        #expect(refusal { try ring.key(presented: key.dropLast() + "~", at: 0) } == .unknownKey)
        let typo = key.dropLast() + (key.hasSuffix("0") ? "1" : "0")
        #expect(refusal { try ring.key(presented: String(typo), at: 0) } == .mistyped)
        #expect(refusal { try entry(#"{"id":"orders","key":"\#(typo)"}"#) } == .mistyped)
        #expect(refusal { try APIKey(old: String(typo)) } == .mistyped)
        #expect(refusal { try entry(#"{"id":"other","key":"\#(key)"}"#) } == .file)
    }

    @Test func `A key in the old form may do everything, and its id does not give it away`() throws {
        let key = try APIKey(old: "hunter2")
        #expect(key.rights.isUnlimited)
        #expect(key.id.hasPrefix("key-"))
        #expect(!KeyDigest(of: "hunter2").hex.contains(key.id.dropFirst(4)))
        #expect(try APIKey(old: "hunter2").id == key.id)
        #expect(try APIKey(old: "hunter3").id != key.id)
    }

    @Test(arguments: [
        #"[]"#, #"{}"#, #"{"id":"a"}"#, #"{"key":"k"}"#, #"{"id":"a.b","key":"k"}"#, #"{"id":"*","key":"k"}"#,
        #"{"id":"","key":"k"}"#, #"{"id":"a","key":""}"#, #"{"id":"a","key":"k","key_sha256":"00"}"#,
        #"{"id":"a","key_sha256":"00"}"#, #"{"id":"a","key":"k","expire":"2027-01-01T00:00:00Z"}"#,
        #"{"id":"a","key":"k","expires":"soon"}"#, #"{"id":"a","key":"k","expires":1}"#, #"{"id":"a","key":null}"#,
    ])
    func `An entry that is not as it should be is an error that quotes no secret`(json: String) throws {
        #expect(refusal { try entry(json) } == .file)
    }

    @Test func `Two keys have neither the same id nor the same secret`() throws {
        let a = try entry(#"{"id":"a","key":"one"}"#)
        #expect(refusal { try KeyRing([a, entry(#"{"id":"a","key":"two"}"#)]) } == .file)
        #expect(refusal { try KeyRing([a, entry(#"{"id":"b","key":"one"}"#)]) } == .file)
    }

    @Test func `There are at most so many keys`() throws {
        let digests = (0...KeyRing.maximumKeys).map { KeyDigest(of: "\($0)") }
        let keys = digests.enumerated().map { APIKey(id: "\($0)", digest: $1, rules: .none) }
        #expect(try KeyRing(Array(keys.dropLast())).keys.count == KeyRing.maximumKeys)
        #expect(refusal { try KeyRing(keys) } == .full)
    }

    @Test func `A ring that shares memory with another one has its own keys`() throws {
        let same = APIKey(id: "same", digest: KeyDigest(of: "s"), rules: .all)
        let old = try KeyRing([same, APIKey(id: "other", digest: KeyDigest(of: "o"), rules: .all)])
        let new = try KeyRing([
            APIKey(id: "other", digest: KeyDigest(of: "o"), rules: .none),
            APIKey(id: "same", digest: KeyDigest(of: "s"), rules: .all),
        ])
        let shared = new.sharing(with: old)
        #expect(shared.keys == new.keys)
        #expect(shared.key(id: "other")?.rules == RuleList.none)
        #expect(try shared.key(presented: "s", at: 0) == same)
        #expect(old.changes(to: shared) == ["same": .unchanged, "other": .narrowed])
    }

    @Test func `A reload says which keys are gone, narrowed, widened and unchanged`() throws {
        let publish = #"[{"actions":["publish"],"topics":["a.>"]}]"#
        func ring(_ keys: String...) throws -> KeyRing {
            try KeyRing(keys.map { try entry("{" + $0 + "}") })
        }
        let old = try ring(
            #""id":"same","key":"1","rights":\#(publish)"#,
            #""id":"gone","key":"2","rights":\#(publish)"#,
            #""id":"rotated","key":"3","rights":\#(publish)"#,
            #""id":"narrowed","key":"4","rights":\#(publish)"#,
            #""id":"widened","key":"5","rights":\#(publish)"#,
            #""id":"ends","key":"6","rights":\#(publish)"#,
            #""id":"denied","key":"7","rights":\#(publish)"#,
            #""id":"lasts","key":"8","rights":\#(publish),"expires":"2027-01-01T00:00:00Z""#
        )
        let new = try ring(
            #""id":"same","key":"1","rights":\#(publish),"label":"new""#,
            #""id":"rotated","key":"33","rights":\#(publish)"#,
            #""id":"narrowed","key":"4","rights":[{"actions":["publish"],"topics":["a.*"]}]"#,
            #""id":"widened","key":"5","rights":[{"actions":["publish"],"topics":[">"]}]"#,
            #""id":"ends","key":"6","rights":\#(publish),"expires":"2027-01-01T00:00:00Z""#,
            #""id":"denied","key":"7","rights":[{"actions":["publish"],"topics":["a.>"]},{"deny":true,"actions":["*"],"topics":["*.x"]}]"#,
            #""id":"lasts","key":"8","rights":\#(publish)"#,
            #""id":"added","key":"9""#
        )
        #expect(
            old.changes(to: new) == [
                "same": .unchanged, "gone": .gone, "rotated": .gone, "narrowed": .narrowed, "widened": .widened,
                "ends": .narrowed, "denied": .narrowed, "lasts": .widened,
            ]
        )
    }
}

/// The code of the error that the body throws; `nil` if it throws none.
func refusal<Value>(_ body: () throws -> Value) -> AccessError.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? AccessError)?.code
    }
}
