import Hummingbird
import NIOCore

/// A request's context: besides what Hummingbird needs, the connection it came on.
struct ApusRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
