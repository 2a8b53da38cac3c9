import ApusAccess
import ApusProtocol
import ApusTesting
import Testing

struct RevocationsTests {
    private func token(_ members: String) throws -> Principal {
        let claims = try #require(JSONValue(#"{"exp":9000,\#(members)}"#))
        return Principal(
            try TokenClaims(claims, rightsIn: "apus"),
            kid: "k",
            proof: TokenProof(key: KeyDigest(of: "k"))
        )
    }

    private let key = Principal(APIKey(id: "shop", digest: KeyDigest(of: "1"), rules: .all))

    @Test func `A token is revoked by its id or its subject if it was issued before`() throws {
        let old = try token(#""jti":"t1","sub":"ann","iat":100"#)
        let new = try token(#""jti":"t1","sub":"ann","iat":300"#)
        let unknown = try token(#""jti":"t1","sub":"ann""#)
        let other = try token(#""jti":"t2","sub":"bob","iat":100"#)
        for target in [Revocation.Target.tokenID("t1"), .subject("ann")] {
            var revocations = Revocations()
            try revocations.revoke(target, at: 200_000)
            #expect(revocations.isRevoked(old))
            #expect(!revocations.isRevoked(new))
            #expect(revocations.isRevoked(unknown))
            #expect(!revocations.isRevoked(other))
            #expect(!revocations.isRevoked(key))
        }
    }

    @Test func `A key is revoked whenever it was made, and a token with its name is not`() throws {
        var revocations = Revocations()
        try revocations.revoke(.key(id: "shop"), issuedBefore: 0, at: 1000)
        #expect(revocations.isRevoked(key))
        #expect(try !revocations.isRevoked(token(#""sub":"shop","jti":"shop""#)))
        revocations = Revocations()
        try revocations.revoke(.subject("shop"), at: 1000)
        #expect(!revocations.isRevoked(key))
    }

    @Test func `To revoke the same again moves the time forward and never back`() throws {
        var revocations = Revocations()
        let first = try revocations.revoke(.subject("ann"), issuedBefore: 500, at: 0)
        #expect(try revocations.revoke(.subject("ann"), issuedBefore: 900, at: 0).issuedBefore == 900)
        #expect(try revocations.revoke(.subject("ann"), issuedBefore: 100, at: 0).issuedBefore == 900)
        #expect(revocations.count == 1)
        #expect(revocations.remove(id: first.id)?.target == .subject("ann"))
        #expect(revocations.remove(id: first.id) == nil)
        #expect(try !revocations.isRevoked(token(#""sub":"ann","iat":0"#)))
    }

    @Test func `Entries about tokens go when no such token can live any more`() throws {
        var revocations = Revocations(lifetime: 1000)
        try revocations.revoke(.subject("ann"), at: 100)
        try revocations.revoke(.subject("bob"), issuedBefore: 5000, at: 100)
        try revocations.revoke(.key(id: "shop"), at: 100)
        revocations.removeExpired(at: 1100)
        #expect(revocations.count == 3)
        revocations.removeExpired(at: 1101)
        #expect(revocations.page().entries.map(\.target) == [.subject("bob"), .key(id: "shop")])
        revocations.removeExpired(at: .max)
        #expect(revocations.page().entries.map(\.target) == [.key(id: "shop")])
        var eternal = Revocations()
        try eternal.revoke(.subject("ann"), at: 0)
        eternal.removeExpired(at: .max)
        #expect(eternal.count == 1)
    }

    @Test func `There are at most so many entries, and those that expired make room`() throws {
        var revocations = Revocations(lifetime: 1000)
        for number in 0..<Revocations.maximum { try revocations.revoke(.tokenID("\(number)"), at: 0) }
        #expect(refusal { try revocations.revoke(.subject("ann"), at: 1000) } == .full)
        #expect(try revocations.revoke(.tokenID("5"), at: 1000).issuedBefore == 1000)
        #expect(try revocations.revoke(.subject("ann"), at: 1001).target == .subject("ann"))
        #expect(revocations.count == 2)
    }

    @Test func `Pages have every entry once, whatever is deleted meanwhile`() throws {
        var random = SeededGenerator(seed: 9)
        var revocations = Revocations()
        for number in 0..<57 { try revocations.revoke(.tokenID("\(number)"), at: 0) }
        var seen: [UInt64] = []
        var removed: Set<UInt64> = []
        var next: UInt64? = 0
        while let after = next {
            let page = revocations.page(after: after, limit: 10)
            seen += page.entries.map(\.id)
            next = page.next
            let victim = UInt64.random(in: 1...57, using: &random)
            if revocations.remove(id: victim) != nil, !seen.contains(victim) { removed.insert(victim) }
            // The last of a page may be gone when the next one is asked for.
            if let next { revocations.remove(id: next) }
        }
        #expect(seen == seen.sorted())
        #expect(Set(seen).count == seen.count)
        #expect(Set(seen).union(removed) == Set(1...57))
        #expect(revocations.page(after: .max).entries.isEmpty)
        #expect(revocations.page(limit: -1).entries.count == 1)
    }

    @Test func `Stored entries are restored with their numbers`() throws {
        var before = Revocations()
        try before.revoke(.subject("ann"), at: 100)
        try before.revoke(.key(id: "shop"), at: 200)
        var after = Revocations(restoring: before.page().entries.reversed())
        #expect(after.page() == before.page())
        #expect(after.isRevoked(key))
        #expect(try after.revoke(.subject("bob"), at: 300).id == 3)
    }

    @Test func `What others have revoked takes the place of what was there about the same target`() throws {
        var revocations = Revocations()
        let own = try revocations.revoke(.key(id: "shop"), at: 1000)
        let theirs = Revocation(id: 90, target: .key(id: "shop"), issuedBefore: 2000)
        var isTaken = revocations.adopt(theirs)
        #expect(isTaken && revocations[.key(id: "shop")] == theirs && revocations.count == 1)
        let former = revocations.remove(id: own.id)
        #expect(former == nil)
        isTaken = revocations.adopt(Revocation(id: 7, target: .subject("ann"), issuedBefore: 1))
        #expect(isTaken && revocations.page().entries.map(\.id) == [7, 90])
        let next = try revocations.revoke(.subject("bob"), at: 3000)
        #expect(next.id == 91)
    }

    @Test func `Of two of one id both count, whoever made them`() throws {
        var revocations = Revocations()
        let taken = [
            revocations.adopt(Revocation(id: 5, target: .subject("ann"), issuedBefore: .max)),
            revocations.adopt(Revocation(id: 5, target: .key(id: "shop"), issuedBefore: 0)),
        ]
        #expect(taken == [true, true] && revocations.isRevoked(key))
        #expect(try revocations.isRevoked(token(#""sub":"ann""#)))
        #expect(revocations.page().entries.map(\.id) == [5, 6])
    }
}
