import Hummingbird
import NIOCore

/// A request's context: what Hummingbird needs, and the connection's channel.
struct ApusRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
