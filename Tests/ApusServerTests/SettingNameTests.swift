import Testing

@testable import ApusServer

/// Names that nobody knows, and variables that somebody else has set.
@Suite struct SettingNameTests {
    @Test(arguments: [
        "api_key", "API-KEYS", "apikey", "token", "jwt.tokens", "auth.basic", "my_pasword", "tls_cert", "rights",
        "allowed_origins",
        "trusted_proxies", "APUS_KEYS_FILE", "anonymous",
    ])
    func `what resembles a secret is seen`(name: String) {
        #expect(SettingName.protection(by: name) == .secret)
    }

    @Test(arguments: ["max_foo", "topics.max", "LIMITS", "rate", "publish-rate", "burst", "drain_timeot", "quota"])
    func `what resembles a limit is seen`(name: String) {
        #expect(SettingName.protection(by: name) == .limit)
    }

    @Test(arguments: [
        "queu", "topics", "monkey", "keystone", "author", "climax", "keep_alive", "trim", "certain", "", "...", "port",
    ])
    func `what resembles neither is not`(name: String) {
        #expect(SettingName.protection(by: name) == nil)
    }

    @Test func `the nearest name is found and none that is far`() {
        let names = ["queue", "max_queue", "topics.on_delete"]
        #expect(SettingName.nearest(to: "Queu", among: names) == "queue")
        #expect(SettingName.nearest(to: "max-queue", among: names) == "max_queue")
        #expect(SettingName.nearest(to: "topics.ondelete", among: names) == "topics.on_delete")
        #expect(SettingName.nearest(to: "que", among: names) == "queue")
        #expect(SettingName.nearest(to: "qu", among: names) == nil)
        // However long a name is, it takes no time.
        #expect(SettingName.nearest(to: String(repeating: "x", count: 1_000_000), among: names) == nil)
        #expect(SettingName.protection(by: String(repeating: "x", count: 1_000_000)) == nil)
    }

    @Test(arguments: [
        ("APUS_SERVICE_HOST", "10.0.0.1"), ("APUS_SERVICE_PORT", "80"), ("APUS_SERVICE_PORT_HTTP_API", "80"),
        ("APUS_PORT", "tcp://10.0.0.1:80"), ("APUS_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("APUS_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("APUS_EU_2_PORT_53_UDP_PROTO", "udp"), ("APUS_EU_PORT", "sctp://[fd00::1]:1"),
        ("APUS_KEY_SERVICE_HOST", "10.0.0.1"),
    ])
    func `what kubernetes sets for a service is known`(name: String, value: String) {
        #expect(ForeignVariable.isServiceLink(name, value: value))
    }

    @Test(arguments: [
        ("APUS_PORT", "80"), ("APUS_HOST", "10.0.0.1"), ("APUS_SERVICE", "x"), ("APUS_API_KEY", "tcp://10.0.0.1:80"),
        ("APUS_PORT_TCP", "x"), ("APUS_PORT_X_TCP", "x"), ("APUS_80_TCP", "x"), ("APUS_TCP", "x"),
        ("APUS_PORT", "http://a:1"),
        ("", ""), ("_", "://"),
    ])
    func `what it does not set is not`(name: String, value: String) {
        #expect(!ForeignVariable.isServiceLink(name, value: value))
    }

    @Test(arguments: [
        "x86_64-conda-linux-gnu", "x86_64-conda_cos6-linux-gnu", "aarch64-conda-linux-gnu", "arm64-apple-darwin20.0.0",
        "powerpc64le-conda-linux-gnu", "x86_64-pc-linux-gnu", "i686-w64-mingw32", "armv7l-unknown-linux-gnueabihf",
        "riscv64-linux-gnu",
    ])
    func `a platform is no host`(value: String) {
        #expect(ForeignVariable.isPlatform(value))
    }

    @Test(arguments: [
        "localhost", "db-linux-1", "arm-server-3", "x86-64", "::1", "10.0.0.1", "web-eu-linux", "x86_64", "", "-", "--",
    ])
    func `a host is no platform`(value: String) {
        #expect(!ForeignVariable.isPlatform(value))
    }
}
