import ApusAccess
import Hummingbird
import Logging

/// A request's context: what Hummingbird needs, and the request on its connection.
struct ApusRequestContext: RequestContext {
    struct Source: RequestContextSource {
        let inFlight: InFlightRequest
        let logger: Logger
    }

    var coreContext: CoreRequestContextStorage
    let inFlight: InFlightRequest
    /// The endpoint of the request's path; `nil` when the path does not exist.
    var match: Endpoint.Match?
    /// What the client may do: nothing, until its credentials are checked.
    var access = ClientAccess(rights: .none, principal: nil)

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        inFlight = source.inFlight
    }
}
