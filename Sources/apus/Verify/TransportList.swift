import ApusVerify
import ArgumentParser

/// A list such as `ws,v1,sse,poll`.
struct TransportList: ExpressibleByArgument {
    let transports: [VerifyTransport]

    init?(argument: String) {
        var transports: [VerifyTransport] = []
        for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let transport = VerifyTransport(rawValue: String(word)) else { return nil }
            if !transports.contains(transport) { transports.append(transport) }
        }
        self.transports = transports
    }
}
