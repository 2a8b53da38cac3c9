extension ServerMetrics {
    /// The memory in use, by what uses it.
    ///
    /// - Parameters:
    ///   - logs: the bytes of frames that topics keep.
    ///   - drops: the bytes that subscriptions take to remember what they did not get.
    func memory(logs: Int, drops: Int) async -> [MetricFamily] {
        let shares = await contexts.collect { $0.memoryShare }
        let (outboxes, inputs) = (shares.reduce(0) { $0 + $1.outboxes }, shares.reduce(0) { $0 + $1.inputs })
        let reading = MemoryReading.now(enough: 0)
        return [
            MetricFamily(
                name: "apus_memory_bytes",
                help: "Memory in use, by what it is for; other is topics, connections, caches and overhead.",
                kind: .gauge,
                samples: [
                    .init(["part": "logs"], .integer(logs)),
                    .init(["part": "outboxes"], .integer(outboxes)),
                    .init(["part": "inputs"], .integer(inputs)),
                    .init(["part": "drops"], .integer(drops)),
                    .init(["part": "other"], .integer(max(reading.used - logs - outboxes - inputs - drops, 0))),
                ]
            ),
            .gauge("apus_memory_limit_bytes", "What max_memory comes to; 0 means no limit.", contexts.memory.limit),
            .gauge("apus_memory_full", "1 while new work is refused.", contexts.memory.isFull.isSet ? 1 : 0),
            .counter(
                "apus_memory_cut_connections_total",
                "Connections closed to free memory.",
                UInt64(contexts.memory.cuts)
            ),
        ]
    }
}
