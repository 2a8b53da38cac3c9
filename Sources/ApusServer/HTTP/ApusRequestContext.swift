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

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        inFlight = source.inFlight
    }
}
