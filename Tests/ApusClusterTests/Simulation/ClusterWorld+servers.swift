import ApusCluster
import NIOCore

// Three servers: who leads, what they take, and what their consumers bring.

extension ClusterWorld {
    /// Whether two servers reach each other.
    private func isReachable(_ left: Int, _ right: Int) -> Bool { left == right || (!isCut[left] && !isCut[right]) }

    private var majority: [Int] {
        let servers = [0, 1, 2].filter { !isCut[$0] }
        return servers.count >= 2 ? servers : []
    }

    // MARK: Publishing

    func arrive(_ request: PublishRequest, from node: Int, life: Int) {
        if fault == .buriesNothing, request.header.value.hasPrefix("t ") {
            let sequence = UInt64(streams[index(of: request.stream)].log.count)
            return answer(request, .acked(sequence: sequence, isDuplicate: false), to: node)
        }
        guard nodes[node].life == life, let server = nodes[node].server else {
            // The connection is gone, but what was sent on it may have come through.
            if chance(50), let server = nodes[node].lastServer { propose(request, at: server, node: node, life: life) }
            return
        }
        propose(request, at: server, node: node, life: life)
    }

    private func propose(_ request: PublishRequest, at server: Int, node: Int, life: Int) {
        let stream = index(of: request.stream)
        if let leader = streams[stream].leader, isReachable(server, leader), !majority.isEmpty {
            if let refusal = streams[stream].refusal(of: request, within: streams[stream].log.count) {
                return answer(request, refusal, to: node)
            }
            streams[stream].pending.append(SimulatedStream.Proposal(node: node, request: request, life: life))
            if fault == .acksProposals {
                let sequence = UInt64(streams[stream].log.count + streams[stream].pending.count)
                answer(request, .acked(sequence: sequence, isDuplicate: false), to: node)
            }
            scheduleCommit(stream)
        } else if let stale = streams[stream].staleLeader, isReachable(server, stale) {
            // It answers by what it knows, but what it takes never gets a majority.
            let refusal = streams[stream].refusal(of: request, within: streams[stream].applied[stale])
            if let refusal { answer(request, refusal, to: node) }
        } else if chance(50) {
            answer(request, .unavailable("no responders"), to: node)
        }
    }

    private func scheduleCommit(_ stream: Int) {
        guard !streams[stream].isCommitting, !streams[stream].pending.isEmpty else { return }
        streams[stream].isCommitting = true
        queue.add(.commit(stream: stream), at: now + delay() / 2)
    }

    func commit(_ stream: Int) {
        streams[stream].isCommitting = false
        guard let leader = streams[stream].leader, majority.contains(leader), !streams[stream].pending.isEmpty else {
            return
        }
        let proposal = streams[stream].pending.removeFirst()
        let sequence = commit(proposal.request, in: stream)
        if nodes[proposal.node].life == proposal.life {
            answer(proposal.request, .acked(sequence: sequence, isDuplicate: false), to: proposal.node)
        }
        scheduleCommit(stream)
    }

    @discardableResult
    private func commit(_ request: PublishRequest, in stream: Int) -> UInt64 {
        let sequence = streams[stream].commit(request)
        model.trace { "committed \(sequence) in \(request.stream): \(request.subject) \(request.header.value)" }
        for server in majority {
            if server == streams[stream].leader {
                apply(Int(sequence), of: stream, at: server)
            } else {
                queue.add(.apply(server: server, stream: stream, count: Int(sequence)), at: now + delay())
            }
        }
        return sequence
    }

    private func answer(_ request: PublishRequest, _ answer: PublishAnswer, to node: Int) {
        if hostile(setup.loss) { return }
        let boot = nodes[node].boot
        queue.add(.answer(node: node, boot: boot, number: request.number, answer), at: now + delay())
    }

    func apply(_ count: Int, of stream: Int, at server: Int) {
        guard !isCut[server], count <= streams[stream].log.count else { return }
        streams[stream].applied[server] = max(streams[stream].applied[server], count)
        for node in nodes.indices { pump(stream, of: node) }
    }

    // MARK: Leaders

    /// The leader of a stream is gone. What was proposed may have come through, or not.
    func loseLeader(of stream: Int, isCut: Bool) {
        streams[stream].staleLeader = isCut ? streams[stream].leader : nil
        streams[stream].leader = nil
        let proposals = streams[stream].pending
        streams[stream].pending = []
        for proposal in proposals.prefix(Int.random(in: 0...proposals.count, using: &random)) {
            commit(proposal.request, in: stream)
        }
        queue.add(.elect(stream: stream), at: now + Int64.random(in: 50...1500, using: &random))
    }

    func elect(_ stream: Int) {
        guard streams[stream].leader == nil, !majority.isEmpty else { return }
        // Only who has all that was acked can be elected.
        let leader = majority[Int.random(in: 0..<majority.count, using: &random)]
        streams[stream].leader = leader
        if streams[stream].staleLeader == leader { streams[stream].staleLeader = nil }
        for server in majority { apply(streams[stream].log.count, of: stream, at: server) }
    }

    func cut(_ server: Int) {
        isCut[server] = true
        for stream in streams.indices {
            guard let leader = streams[stream].leader, leader == server || majority.isEmpty else { continue }
            loseLeader(of: stream, isCut: true)
        }
    }

    func heal() {
        isCut = [false, false, false]
        for stream in streams.indices {
            streams[stream].staleLeader = nil
            if streams[stream].leader == nil { queue.add(.elect(stream: stream), at: now + delay()) }
            let count = streams[stream].log.count
            for server in 0...2 {
                queue.add(.apply(server: server, stream: stream, count: count), at: now + delay())
            }
        }
    }

    /// Power is lost where the newest messages were not on a disk yet.
    func rollBack(_ stream: Int, by count: Int) {
        let end = max(0, streams[stream].log.count - count)
        guard end < streams[stream].log.count else { return }
        streams[stream].rollBack(to: end)
        model.rolledBack(to: end, streams[stream].stream)
        // One consumer may be on a server that stayed.
        for node in nodes.indices where chance(70) {
            disconnect(node, back: Int64.random(in: 10...800, using: &random))
        }
        loseLeader(of: stream, isCut: false)
    }

    // MARK: Consumers

    func makeConsumer(_ request: ConsumeRequest, for node: Int, life: Int) {
        guard nodes[node].life == life, let server = nodes[node].server else { return }
        if hostile(setup.loss) {
            if chance(50) { tell(node, .consumerFailed(request.stream, consumer: request.number)) }
            return
        }
        // It may be made on a server that knows less, or is cut off together with the node.
        let servers = [0, 1, 2].filter { isReachable($0, server) }
        let stream = index(of: request.stream)
        let place = servers[Int.random(in: 0..<servers.count, using: &random)]
        let from = fault == .skipsOne && request.from > 1 ? request.from + 2 : request.from
        let consumer = SimulatedConsumer(request: request, server: place, next: from)
        nodes[node].consumers[stream] = consumer
        queue.add(.heartbeat(node: node, life: life, consumer: consumer), at: now + 1000)
        pump(stream, of: node)
    }

    /// Sends a node what its consumer's server knows.
    private func pump(_ stream: Int, of node: Int) {
        guard var consumer = nodes[node].consumers[stream], let server = nodes[node].server,
            isReachable(server, consumer.server)
        else { return }
        let end = streams[stream].applied[consumer.server]
        while consumer.next <= UInt64(end) {
            let message = streams[stream].log[Int(consumer.next) - 1]
            consumer.next += 1
            if message.isRemoved { continue }
            consumer.deliveries += 1
            consumer.arrival = max(consumer.arrival, now + delay() / 2)
            let delivery = Delivery(
                stream: streams[stream].stream,
                consumer: consumer.request.number,
                number: consumer.deliveries,
                sequence: message.sequence,
                subject: message.subject,
                id: message.id.description,
                header: message.header.value,
                body: message.body
            )
            if hostile(setup.drops) { continue }
            queue.add(.deliver(node: node, life: nodes[node].life, delivery), at: consumer.arrival)
            if hostile(setup.repeats) {
                queue.add(.deliver(node: node, life: nodes[node].life, delivery), at: consumer.arrival + delay())
            }
        }
        nodes[node].consumers[stream] = consumer
    }

    func beat(_ consumer: SimulatedConsumer, of node: Int, life: Int) {
        let stream = index(of: consumer.request.stream)
        guard nodes[node].life == life, let current = nodes[node].consumers[stream],
            current.request.number == consumer.request.number, let server = nodes[node].server
        else { return }
        queue.add(.heartbeat(node: node, life: life, consumer: consumer), at: now + 1000)
        guard isReachable(server, consumer.server), current.arrival <= now else { return }
        tell(
            node,
            .heartbeat(consumer.request.stream, consumer: consumer.request.number, deliveries: current.deliveries)
        )
    }
}
