import ApusAccess
import ApusCluster
import ApusJournal
import ApusProtocol
import Hummingbird
import NIOCore

// The cluster: its nodes and streams, and what is added to a node's own counts.

extension Routes {
    func getCluster(_ context: ApusRequestContext) async throws -> Response {
        guard context.access.allowsEverywhere(.stats) || context.access.allowsEverywhere(.admin)
        else { throw Forbidden(.stats).problem }
        guard let cluster else { throw Problem(.notFound, "This server is no node of a cluster") }
        let streams = await cluster.streams()
        let (nodes, asOf, now) = (cluster.nodes, cluster.others.asOf, ServerClock.now.wall)
        let body = JSONWriter.object { writer in
            writer.member("as_of", "\(asOf)")
            writer.array("nodes", of: nodes) { writer, node in node.write(to: &writer, now: now) }
            writer.array("streams", of: streams) { writer, stream in stream.write(to: &writer) }
        }
        return .json(.ok, ByteBuffer(string: body))
    }

    /// `,"as_of":"…"` where counts are those of a cluster.
    func asOf(_ others: OtherSubscribers?) -> String {
        others.map { #","as_of":"\#($0.asOf)""# } ?? ""
    }
}

extension ClusterPeers.Node {
    func write(to writer: inout JSONWriter, now: Int64) {
        writer.member("name", state.name)
        writer.member("id", String(id, radix: 16))
        writer.member("self", isSelf)
        writer.member("version", state.version)
        writer.member("address", state.address)
        writer.member("uptime_seconds", max(now - state.started, 0) / 1000)
        writer.member("ready", state.isReady)
        writer.member("lag", state.lag)
        writer.member("silent_ms", silence)
        writer.member("nats_server", state.server)
        writer.member("connections", state.figures.connections)
        writer.member("subscriptions", state.figures.subscriptions)
        writer.member("publishes", state.figures.publishes)
        writer.member("deliveries", state.figures.deliveries)
    }
}

extension ClusterStreamReport {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("name", name)
        writer.member("position", mirror.position)
        writer.member("lag", mirror.known - min(mirror.known, mirror.position))
        writer.member("leader", json: standing?.leader.map { jsonString($0) } ?? "null")
        guard let standing else { return }
        writer.member("messages", standing.messages)
        writer.member("bytes", standing.bytes)
        writer.member("replicas", standing.replicas)
        writer.member("replicas_behind", standing.behind)
    }
}
