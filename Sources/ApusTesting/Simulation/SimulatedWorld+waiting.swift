import ApusBroker
import ApusProtocol

// Subscriptions that wait for their topic to be created, and again after it is deleted.

extension SimulatedWorld {
    /// Whether this subscription may wait. The model can identify at most one waiting subscription of each name.
    func mayWait(_ connection: SimulatedConnection, _ name: String, as clientID: String) -> Bool {
        connection.expected.waits[name].map { $0.clientID == clientID } ?? true
    }

    /// Marks the subscriptions that the connection's hub places before it subscribes or unsubscribes.
    ///
    /// The hub places its reserved subscriptions then if the connection has a waiting subscription.
    func markPlaced(on connection: SimulatedConnection) {
        guard !connection.expected.waits.isEmpty else { return }
        for client in clients {
            guard let other = client.connection, !other.isOver, other.hub === connection.hub else { continue }
            for subscription in other.expected.subscriptions { subscription.markPlaced() }
        }
    }

    /// The receipt said that the subscription waits.
    func wait(_ connection: SimulatedConnection, _ request: SubscribeRequest, _ topic: ModelTopic?) {
        guard topic == nil, request.waits else { return fail("\(request) was told to wait for a topic that is there") }
        connection.expected.waits[request.topic] = ModelWait(
            clientID: request.clientID,
            request: request,
            hasStarted: false
        )
    }

    /// The receipt said that the topic exists.
    func noteWaiting(_ connection: SimulatedConnection, _ request: SubscribeRequest, _ topic: ModelTopic) {
        let expected = connection.expected
        let mine = expected.subscriptions.filter { $0.topic.name == request.topic && $0.clientID == request.clientID }
        if request.waits {
            let wait = ModelWait(clientID: request.clientID, request: request, hasStarted: true)
            expected.waits[request.topic] = wait
            for subscription in mine where subscription.topic === topic {
                subscription.waits = true
                subscription.owedOpening = nil
            }
        } else if expected.waits[request.topic]?.clientID == request.clientID {
            expected.waits[request.topic] = nil
            for subscription in mine {
                subscription.waits = false
                if subscription.topic === topic { subscription.owedOpening = nil }
            }
        }
    }

    /// A topic was created. Subscriptions that wait for it receive it from its first message on.
    func promiseWaiting(_ topic: ModelTopic) {
        for client in clients {
            guard let connection = client.connection, !connection.isOver,
                let wait = connection.expected.waits[topic.name]
            else { continue }
            let options = options(of: wait.request, on: topic)
            let subscription = ModelSubscription(
                topic: topic,
                clientID: wait.clientID,
                origin: connection.expected.origin,
                isByPattern: false,
                options: options,
                next: 1,
                isPromised: true
            )
            subscription.waits = true
            let isResumed = if case .position = wait.request.start { true } else { false }
            subscription.owedOpening = isResumed && !wait.hasStarted
            connection.expected.waits[topic.name]?.hasStarted = true
            if options.overflow == .throttle { topic.mayThrottle = true }
            topic.lateJoiners.append(wait.clientID)
            connection.expected.subscriptions.append(subscription)
        }
    }
}
