import HTTPTypes

/// The header field in which proxies list the addresses that they got a request from.
enum ForwardedFor {
    /// In lower case.
    static let name = "x-forwarded-for"
    static let field = HTTPField.Name("X-Forwarded-For")
}
