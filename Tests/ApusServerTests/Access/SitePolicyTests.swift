import Testing

@testable import ApusServer

@Suite struct SitePolicyTests {
    private func policy(_ origins: String..., hosts: [String] = [], isLocal: Bool = false) -> SitePolicy {
        var access = ServerConfiguration.Access()
        access.allowedOrigins = origins.compactMap { AllowedOrigin($0) }
        access.allowedHosts = hosts
        return SitePolicy(access, isLocal: isLocal)
    }

    @Test(arguments: [
        ("https://a.example", "a.example"), ("https://a.example", "a.example:443"), ("http://a.example", "a.example"),
        ("http://a.example:80", "a.example"), ("http://a.example:8080", "a.example:8080"),
        ("HTTPS://A.Example", "a.EXAMPLE"), ("https://a.example", "a.example."), ("http://[::1]:81", "[::1]:81"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
    ])
    func `the server's own pages are admitted`(origin: String, host: String) {
        #expect(policy().admits(origin: origin, host: host))
    }

    @Test(arguments: [
        ("https://evil.example", "a.example"), ("https://a.example.evil", "a.example"),
        ("https://a.example:444", "a.example"), ("https://a.example", "a.example:80"),
        ("https://a.example", "b.a.example"), ("null", "a.example"), ("", "a.example"), ("a.example", "a.example"),
        ("https://", "a.example"), ("https://a.example/", "a.example"),
        ("https://a.example, https://b.example", "a.example"),
        ("https://a.example https://b.example", "a.example"), ("https://user@a.example", "a.example"),
        ("://a.example", "a.example"), ("https://a.example:", "b.example"), ("https://a.example:99999", "a.example"),
        ("http://localhost", "a.example"), ("file://", "a.example"), ("https://a.example", ""),
    ])
    func `pages of other origins are not`(origin: String, host: String) {
        #expect(!policy().admits(origin: origin, host: host))
    }

    @Test(arguments: [
        ("https://a.example", "a.example", true), ("https://a.example", "a.example:443", true),
        ("https://a.example:8443", "a.example:8443", true), ("https://a.example", "a.example:8443", false),
        ("http://a.example", "a.example", false), ("http://a.example:8443", "a.example:8443", false),
        ("http://b.example", "a.example", true),
    ])
    func `with TLS of its own, the server's pages are those of https`(origin: String, host: String, isOwn: Bool) {
        var access = ServerConfiguration.Access()
        access.allowedOrigins = [AllowedOrigin("http://b.example")].compactMap(\.self)
        let policy = SitePolicy(access, isLocal: false, isSecure: true)
        #expect(policy.admits(origin: origin, host: host) == isOwn)
        // A proxy at a Unix socket may speak either.
        let byProxy = { try policy.check(host: host, origin: origin, isReading: false, isLocalSocket: true) }
        #expect(((try? byProxy()) != nil) == (isOwn || origin.hasPrefix("http://a")))
    }

    @Test(arguments: [
        ("http://localhost:3000", true), ("http://127.0.0.1:5173", true), ("https://[::1]", true),
        ("http://app.localhost:3000", true), ("http://127.8.8.8", true), ("http://localhost.evil.example", false),
        ("http://evil.example", false), ("null", false), ("file://localhost", false), ("http://notlocalhost", false),
        ("http://128.0.0.1", false), ("chrome-extension://localhost", false),
    ])
    func `a server on loopback admits pages from its machine`(origin: String, isAdmitted: Bool) {
        #expect(policy(isLocal: true).admits(origin: origin, host: "localhost:8080") == isAdmitted)
    }

    @Test func `allowed origins are admitted, with their port and scheme`() {
        let policy = policy("https://app.example.com", "http://dev.example.com:3000", "capacitor://localhost")
        #expect(policy.admits(origin: "https://app.example.com", host: "h"))
        #expect(policy.admits(origin: "https://app.example.com:443", host: "h"))
        #expect(policy.admits(origin: "http://dev.example.com:3000", host: "h"))
        #expect(policy.admits(origin: "capacitor://localhost", host: "h"))
        #expect(!policy.admits(origin: "http://app.example.com", host: "h"))
        #expect(!policy.admits(origin: "https://app.example.com:8443", host: "h"))
        #expect(!policy.admits(origin: "http://dev.example.com", host: "h"))
        #expect(!policy.admits(origin: "https://x.app.example.com", host: "h"))
    }

    @Test func `a star in front of a name stands for what is below the name`() {
        let policy = policy("https://*.example.com")
        #expect(policy.admits(origin: "https://a.example.com", host: "h"))
        #expect(policy.admits(origin: "https://a.b.example.com", host: "h"))
        #expect(!policy.admits(origin: "https://example.com", host: "h"))
        #expect(!policy.admits(origin: "https://evilexample.com", host: "h"))
        #expect(!policy.admits(origin: "http://a.example.com", host: "h"))
        #expect(!policy.admits(origin: "https://a.example.com:8443", host: "h"))
        #expect(!policy.admits(origin: "https://a.example.com.evil", host: "h"))
    }

    @Test func `a star alone stands for every origin`() {
        for origin in ["https://evil.example", "null", "file://", "anything"] {
            #expect(policy("*").admits(origin: origin, host: "h"))
        }
    }

    @Test(arguments: [
        "https://a.example", "https://*.a.example", "http://a:3000", "*", "https://*.a.example:8443",
        "http://[::1]:3000",
    ])
    func `an entry is written as it is read`(text: String) {
        #expect(AllowedOrigin(text)?.description == text)
    }

    @Test(arguments: [
        "", "a.example", "https://", "https://a.example/", "https://a.example/path", "https://*", "https://a.*.example",
        "**", "*.example", "https://*.", "null", "https://**.a", "ht tp://a",
    ])
    func `an entry that is no origin is refused`(text: String) {
        #expect(AllowedOrigin(text) == nil)
    }

    @Test(arguments: [
        ("localhost", true), ("LOCALHOST:8080", true), ("localhost.:8080", true), ("a.localhost", true),
        ("127.0.0.1:8080", true), ("127.9.9.9", true), ("[::1]:8080", true), ("[::ffff:127.0.0.1]", true),
        ("apus.internal", true), ("APUS.internal:80", true), ("evil.example:8080", false), ("10.0.0.1", false),
        ("[::2]", false), ("localhost.evil.example", false), ("xlocalhost", false), ("", false), ("a b", false),
        ("0.0.0.0", false), ("127.0.0.1.evil.example", false), ("2130706433", false),
    ])
    func `a server on loopback answers only to its machine's names and those that are allowed`(
        host: String,
        isAnswered: Bool
    ) {
        #expect(policy(hosts: ["apus.internal"], isLocal: true).answers(to: host) == isAnswered)
        #expect(policy().answers(to: host))
    }

    @Test func `a request without an origin is refused for nothing but its host`() throws {
        let policy = policy(isLocal: true)
        try policy.check(host: "localhost", origin: nil, isReading: false, isLocalSocket: false)
        #expect(throws: SitePolicy.Refusal.foreignHost("evil.example")) {
            try policy.check(host: "evil.example", origin: nil, isReading: true, isLocalSocket: false)
        }
    }

    @Test func `without a host only the origin counts`() throws {
        try policy(isLocal: true).check(host: nil, origin: nil, isReading: false, isLocalSocket: false)
        #expect(throws: SitePolicy.Refusal.foreignOrigin("https://a")) {
            try policy().check(host: nil, origin: "https://a", isReading: false, isLocalSocket: false)
        }
    }

    @Test func `a page of another origin may read, as its browser does not show it the answer, and nothing else`()
        throws
    {
        let policy = policy()
        try policy.check(host: "a", origin: "https://evil.example", isReading: true, isLocalSocket: false)
        #expect(throws: SitePolicy.Refusal.foreignOrigin("https://evil.example")) {
            try policy.check(host: "a", origin: "https://evil.example", isReading: false, isLocalSocket: false)
        }
    }

    @Test func `what a page of another site asks for without an origin may read, too, and nothing else`() throws {
        for site in [nil, "same-origin", "same-site", "none"] {
            try policy().check(host: "a", origin: nil, site: site, isReading: false, isLocalSocket: false)
        }
        try policy().check(host: "a", origin: nil, site: "cross-site", isReading: true, isLocalSocket: false)
        #expect(throws: SitePolicy.Refusal.foreignOrigin("another site")) {
            try policy().check(host: "a", origin: nil, site: "cross-site", isReading: false, isLocalSocket: false)
        }
        try policy("*").check(host: "a", origin: nil, site: "cross-site", isReading: false, isLocalSocket: false)
        let page = policy("https://b")
        try page.check(host: "a", origin: "https://b", site: "cross-site", isReading: false, isLocalSocket: false)
    }

    @Test func `a page that lets its name resolve to loopback is refused although it names its own host`() {
        #expect(throws: SitePolicy.Refusal.foreignHost("evil.example:8080")) {
            try policy(isLocal: true)
                .check(
                    host: "evil.example:8080",
                    origin: "http://evil.example:8080",
                    isReading: false,
                    isLocalSocket: false
                )
        }
    }

    @Test func `behind a Unix socket every host is answered, and origins are checked all the same`() throws {
        let policy = policy(isLocal: true)
        try policy.check(host: "a.example", origin: "https://a.example", isReading: false, isLocalSocket: true)
        #expect(throws: SitePolicy.Refusal.foreignOrigin("https://evil.example")) {
            try policy.check(host: "a.example", origin: "https://evil.example", isReading: false, isLocalSocket: true)
        }
    }
}
