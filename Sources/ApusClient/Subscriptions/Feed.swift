/// What one subscription at the server has brought so far, and how it is asked for.
///
/// A value without I/O: it turns what the server says into what the consumer sees, drops what comes twice, and knows
/// from where to go on after a reconnect.
struct Feed {
    let filter: TopicFilter
    let options: ApusClient.SubscribeOptions
    /// After which message the next one is expected; nil without positions.
    private(set) var position: ApusClient.Position?
    /// Whether the server has acked it on this connection.
    private(set) var isLive = false
    /// Whether it ever has.
    private(set) var wasLive = false
    /// Whether the topic is gone, so that it is not to be asked for again.
    private(set) var isOver = false

    init(filter: TopicFilter, options: ApusClient.SubscribeOptions) {
        self.filter = filter
        self.options = options
    }

    // MARK: Subscribing

    /// The command for a new connection.
    mutating func subscribe(clientID: String) -> SubscribeCommand {
        isLive = false
        var command = SubscribeCommand(topic: filter.text, clientID: clientID)
        command.hasPositions = !filter.isPattern
        command.overflow = options.overflow
        command.queue = options.queue
        command.hasPresence = options.hasPresence
        if let position {
            command.since = .position(position)
        } else if !wasLive {
            start(&command)
        }
        return command
    }

    private func start(_ command: inout SubscribeCommand) {
        switch options.start {
        case .live: break
        case .last(let count): command.lastN = count
        case .after(let position): command.since = .position(position)
        case .age(let age): command.since = .text(age.wireText)
        case .time(let time): command.since = .text(time)
        case .all: command.since = .text("all")
        }
    }

    /// The server acked it: where it stands, and what the consumer must know of it.
    mutating func acked(_ ack: ServerMessage.Ack) -> ApusClient.Notice? {
        let isAgain = wasLive
        let asked = isAgain ? position : startPosition
        isLive = true
        wasLive = true
        // A recovered subscription goes on after what it was asked for, whatever the ack repeats of it.
        if ack.isRecovered == true, let asked {
            position = asked
            return nil
        }
        position = ApusClient.Position(ack)
        guard isAgain || ack.isRecovered == false else { return nil }
        return ApusClient.Notice(topic: filter.text, kind: .gap(gap(after: asked, ack)), time: ack.time)
    }

    private var startPosition: ApusClient.Position? {
        guard case .after(let position) = options.start else { return nil }
        return position
    }

    private func gap(after asked: ApusClient.Position?, _ ack: ServerMessage.Ack) -> ApusClient.Gap {
        if let missed = ack.missed { return .missed(missed) }
        guard let asked, let position, asked.epoch != position.epoch else { return .unknown }
        return .newEpoch
    }

    /// The connection is gone.
    mutating func disconnected() {
        isLive = false
    }

    // MARK: Receiving

    /// The event for the consumer; nil when it had it before, or when it is of an earlier subscription.
    mutating func received(_ event: ServerMessage.Event) -> ApusClient.Event? {
        guard isLive else { return nil }
        if let offset = event.offset, let last = position {
            guard offset > last.offset else { return nil }
            position = ApusClient.Position(epoch: last.epoch, offset: offset)
        }
        return ApusClient.Event(
            topic: event.topic,
            id: event.id,
            payload: event.payload,
            message: event.message,
            key: event.key,
            position: event.offset == nil ? nil : position,
            time: event.time
        )
    }

    /// The notice for the consumer; nil when the info is none of its business.
    mutating func received(_ info: ServerMessage.Info) -> ApusClient.Notice? {
        guard isLive, let topic = info.topic, let kind = kind(of: info) else { return nil }
        if let dropped = info.droppedOffsets, let last = position, dropped.upperBound > last.offset {
            position = ApusClient.Position(epoch: last.epoch, offset: dropped.upperBound)
        }
        if kind == .topicDeleted, !filter.isPattern { isOver = true }
        return ApusClient.Notice(topic: topic, kind: kind, time: info.time)
    }

    private func kind(of info: ServerMessage.Info) -> ApusClient.Notice.Kind? {
        switch info.message {
        case "messages_dropped": .dropped(count: info.dropped ?? 0, offsets: info.droppedOffsets)
        case "topic_deleted": .topicDeleted
        case "slow_consumer_warning": .slowConsumerWarning(lag: info.lag ?? 0, queue: info.queue ?? 0)
        case "joined": .joined(clientID: info.clientID ?? "")
        case "left": .left(clientID: info.clientID ?? "")
        default: nil
        }
    }

    /// The topic was not there any more after a reconnect.
    mutating func vanished(time: String) -> ApusClient.Notice {
        isOver = true
        return ApusClient.Notice(topic: filter.text, kind: .topicDeleted, time: time)
    }
}
