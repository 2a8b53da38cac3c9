import ApusCluster
import ApusProtocol
import NIOCore

/// What the server did in one second, and what there was at its end.
struct Sample: Sendable {
    struct Loop: Sendable {
        /// The share of the time for which its thread had a processor.
        var busy: Double
        var connections: Int
    }

    /// The end of the second, in milliseconds since 1970.
    let time: Int64
    let point: SamplePoint
    let loops: [Loop]
    let diskBytes: Int?

    init(_ totals: ServerTotals, after before: ServerTotals, at time: Int64) {
        let seconds = max(Double(totals.taken - before.taken) / 1e9, 1e-3)
        func rate(_ now: UInt64, _ before: UInt64) -> Double { now > before ? Double(now - before) / seconds : 0 }
        var point = SamplePoint()
        point[.publishes] = rate(totals.published, before.published)
        point[.deliveries] = rate(totals.delivered, before.delivered)
        point[.bytesIn] = rate(totals.bytesIn, before.bytesIn)
        point[.bytesOut] = rate(totals.bytesOut, before.bytesOut)
        point[.drops] = rate(totals.dropped, before.dropped)
        point[.connections] = Double(totals.connections)
        point[.subscriptions] = Double(totals.subscriptions)
        point[.topics] = Double(totals.topics)
        point[.memory] = Double(totals.memory)
        point[.cpu] = Double(totals.processor - before.processor) / 1e9 / seconds
        if let commits = totals.commits, let earlier = before.commits { point[.commits] = rate(commits, earlier) }
        self.time = time
        self.point = point
        diskBytes = totals.diskBytes
        // A loop that could not be asked leaves no gap: then none is told.
        let pairs = totals.loops.count == before.loops.count ? Array(zip(totals.loops, before.loops)) : []
        loops = pairs.map { now, before in
            Loop(busy: Double(now.busy - before.busy) / 1e9 / seconds, connections: now.connections)
        }
    }

    /// - Parameters:
    ///   - memoryLimit: in bytes; 0 if there is none.
    ///   - nodes: those of the cluster, if there is one.
    ///   - disk: the folder that the server keeps its topics in, and the free bytes there.
    func write(
        to body: inout ByteBuffer,
        memoryLimit: Int,
        nodes: [ClusterPeers.Node] = [],
        disk: (path: String, free: Int?)?
    ) {
        body.writeString(#"{"at":"\#(Timestamp(milliseconds: time))""#)
        for series in Series.allCases {
            body.writeString(#","\#(series.name)":"#)
            body.writeNumber(point[series], decimals: series.decimals)
        }
        body.writeString(#","memory_limit":\#(memoryLimit > 0 ? "\(memoryLimit)" : "null"),"loops":["#)
        for (index, loop) in loops.enumerated() {
            body.writeString(index > 0 ? #",{"busy":"# : #"{"busy":"#)
            body.writeNumber(loop.busy, decimals: 3)
            body.writeString(#","connections":\#(loop.connections)}"#)
        }
        let members = nodes.map { node in JSONWriter.object { node.write(to: &$0, now: time) } }
        body.writeString(#"],"nodes":[\#(members.joined(separator: ","))],"disk":"#)
        if let disk, let diskBytes {
            let free = disk.free.map { "\($0)" } ?? "null"
            body.writeString(#"{"bytes":\#(diskBytes),"free":\#(free),"path":\#(jsonString(disk.path))}}"#)
        } else {
            body.writeString("null}")
        }
    }
}

extension SampleRing {
    /// The ring as JSON: a list of numbers for each series.
    func write(to body: inout ByteBuffer) {
        let points = all
        let from = newest - Int64(max(points.count - 1, 0)) * Self.step
        body.writeString(#"{"from":"\#(Timestamp(milliseconds: from))","step_ms":\#(Self.step),"series":{"#)
        for series in Series.allCases {
            body.writeString(#"\#(series == .publishes ? "" : ",")"\#(series.name)":["#)
            for (index, point) in points.enumerated() {
                if index > 0 { body.writeStaticString(",") }
                body.writeNumber(point[series], decimals: series.decimals)
            }
            body.writeStaticString("]")
        }
        body.writeStaticString("}}")
    }
}
