import ApusAccess

@testable import ApusServer

extension AccessControl {
    /// Keys in the old form, which may do everything.
    static func keys(_ keys: [String]) throws -> AccessControl {
        try AccessControl(AccessPolicy(keys: KeyRing(keys.map { try APIKey(old: $0) }), tokens: nil, anonymous: nil))
    }
}
