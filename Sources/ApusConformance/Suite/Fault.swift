/// What is wrong with the server or the client under test.
package struct Fault: Error, Sendable {
    /// One sentence without a full stop.
    package let what: String

    package init(_ what: String) {
        self.what = what
    }
}

/// Why a check cannot be made here.
package struct NotApplicable: Error, Sendable {
    package let why: String

    package init(_ why: String) {
        self.why = why
    }
}
