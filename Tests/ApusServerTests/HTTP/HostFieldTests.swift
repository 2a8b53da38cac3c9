import Testing

@testable import ApusServer

@Suite struct HostFieldTests {
    @Test(arguments: [
        "a", "localhost", "example.com", "EXAMPLE.com", "127.0.0.1", "a:80", "a:0", "a:65535", "a:", "a_b", "x-y.z~",
        "a%2Eb", "a!$&'()*+,;=b", "[::1]", "[::1]:8080", "[::ffff:10.0.0.1]:", "[v1.a:b]",
    ])
    func `a host and perhaps a port are valid`(value: String) {
        #expect(HostField.isValid(value))
    }

    @Test(arguments: [
        "", " ", "a b", "a\tb", "a/b", "a?b", "a#b", "a@b", "user:pass@a", ":80", "a:b", "a:80:80", "a:-1", "a:+1",
        "a:123456", "a\\b", "a\"b", "<a>", "a%", "a%2", "a%zz", "ä", "a\u{0}", "a\u{7F}", "[", "[]", "[::1", "::1",
        "[::1]x",
        "[::1]:x", "[a b]", "[::1]]", "[%65]", "http://a", "a,b c",
    ])
    func `anything else is not`(value: String) {
        #expect(!HostField.isValid(value))
    }
}
