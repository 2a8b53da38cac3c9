import ApusBroker
import ApusProtocol
import ApusServer
import Foundation
import Synchronization
import Testing

/// Everything that crosses from one loop to another, on real sockets, for the thread sanitizer to watch.
@Suite(.serialized) struct ServerStormTests {
    private static func configuration(_ change: (inout ServerConfiguration) -> Void) -> ServerConfiguration {
        var configuration = ServerConfiguration.forTests
        change(&configuration)
        return configuration
    }

    @Test func `50 subscribers have all of 8 publishers' 500 messages once, in one common order`() async throws {
        try await withServer(Self.configuration { $0.delivery.queue = 10_000 }) { port in
            try await REST(port: port).createTopic("t")
            var subscribers: [TestClient] = []
            for _ in 0..<50 {
                let subscriber = try await TestClient(port: port)
                try await subscriber.subscribe("t")
                try await subscriber.expectAcks(1)
                subscribers.append(subscriber)
            }
            let orders = try await withThrowingTaskGroup(of: [Int].self) { tasks in
                for subscriber in subscribers { tasks.addTask { try await subscriber.events(4000) } }
                for publisher in 0..<8 {
                    tasks.addTask {
                        let client = try await TestClient(port: port)
                        try await client.publish(publisher * 500..<(publisher + 1) * 500, to: "t", window: 50)
                        await client.close()
                        return []
                    }
                }
                return try await tasks.reduce(into: [[Int]]()) { if !$1.isEmpty { $0.append($1) } }
            }
            let first = try #require(orders.first)
            #expect(first.sorted() == Array(0..<4000))
            #expect(orders.count == 50 && orders.allSatisfy { $0 == first })
            for publisher in 0..<8 {
                let own = first.filter { $0 / 500 == publisher }
                #expect(own == own.sorted())
            }
        }
    }

    @Test func `200 replays in a storm of publishes have no gap and no double at the seam`() async throws {
        try await withServer(Self.configuration { $0.delivery.queue = 100_000 }) { port in
            try await REST(port: port).createTopic("t")
            let isOver = OverFlag()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                let publisher = try await TestClient(port: port)
                try await publisher.publish(0..<100, to: "t", window: 50)
                tasks.addTask {
                    var next = 100
                    while !isOver.isSet {
                        try await publisher.publish(next..<next + 20, to: "t", window: 20)
                        next += 20
                    }
                }
                try await withThrowingTaskGroup(of: Void.self) { storms in
                    for client in 0..<8 { storms.addTask { try await Self.replay(25, client: client, port: port) } }
                    defer { isOver.set() }
                    try await storms.waitForAll()
                }
                try await tasks.waitForAll()
            }
        }
    }

    @Test func `replays from the disk in a storm of kept publishes have no gap and no double at the seam`() async throws
    {
        let folder = URL.temporaryDirectory.appending(path: "apus-threads-\(UInt64.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let configuration = Self.configuration {
            ($0.storage.data, $0.storage.historyMemory) = (folder.path, 0)
            ($0.topics.history, $0.delivery.queue) = (100_000, 100_000)
        }
        try await withServer(configuration) { port in
            try await REST(port: port).createTopic("t")
            let isOver = OverFlag()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                let publisher = try await TestClient(port: port)
                try await publisher.publish(0..<2000, to: "t", window: 50)
                tasks.addTask {
                    var next = 2000
                    while !isOver.isSet {
                        try await publisher.publish(next..<next + 20, to: "t", window: 20)
                        next += 20
                    }
                }
                try await withThrowingTaskGroup(of: Void.self) { storms in
                    for client in 0..<4 {
                        storms.addTask { try await Self.replay(8, from: 1000, client: client, port: port) }
                    }
                    defer { isOver.set() }
                    try await storms.waitForAll()
                }
                try await tasks.waitForAll()
            }
        }
    }

    /// Subscribes again and again, each time with a replay, and checks that numbers follow each other.
    private static func replay(_ times: Int, from least: Int = 1, client: Int, port: Int) async throws {
        let subscriber = try await TestClient(port: port)
        for round in 0..<times {
            let lastN = (round * 7 + client) % 100 + least
            try await subscriber.subscribe("t", lastN: lastN)
            try await subscriber.expectAcks(1)
            var numbers = try await subscriber.events(lastN + 60)
            try await subscriber.unsubscribe("t")
            while case .event(let number) = try await subscriber.next() { numbers.append(number) }
            let first = numbers.first ?? -1
            #expect(numbers == Array(first..<first + numbers.count), "client \(client), round \(round)")
        }
        await subscriber.close()
    }

    @Test func `topics come and go while others subscribe and publish, and nothing is left`() async throws {
        try await withServer { port in
            let rounds = (0..<4).map { _ in RoundNumber() }
            let isOver = OverFlag()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for owner in 0..<4 { tasks.addTask { try await Self.own(owner, round: rounds[owner], port: port) } }
                for intruder in 0..<4 {
                    tasks.addTask {
                        try await Self.intrude(intruder, rounds: rounds, isOver: isOver, port: port)
                    }
                }
                // The owners end by themselves; then the intruders are told to.
                for _ in 0..<4 { try await tasks.next() }
                isOver.set()
                try await tasks.waitForAll()
            }
            let health = try await REST(port: port).health()
            #expect(health.contains(#""topics":0,"subscribers":0"#), "\(health)")
        }
    }

    /// Makes topics and deletes them: both subscribers have everything, and then the notice.
    private static func own(_ owner: Int, round: RoundNumber, port: Int) async throws {
        let rest = REST(port: port)
        let publisher = try await TestClient(port: port)
        let subscribers = [try await TestClient(port: port), try await TestClient(port: port)]
        for number in 0..<25 {
            let topic = "own-\(owner)-\(number)"
            try await rest.createTopic(topic)
            for subscriber in subscribers {
                try await subscriber.subscribe(topic)
                try await subscriber.expectAcks(1)
            }
            round.set(number)
            try await publisher.publish(0..<20, to: topic, window: 20)
            try await rest.deleteTopic(topic)
            for subscriber in subscribers {
                var numbers: [Int] = []
                // What intruders published has other numbers.
                while case .event(let number) = try await subscriber.next() {
                    if number < 1000 { numbers.append(number) }
                }
                #expect(numbers == Array(0..<20), "\(topic)")
            }
        }
        for client in subscribers + [publisher] { await client.close() }
    }

    /// Subscribes to others' topics and publishes there, whether they are still there or not.
    private static func intrude(_ number: Int, rounds: [RoundNumber], isOver: OverFlag, port: Int) async throws {
        var client = try await TestClient(port: port)
        var turn = number
        while !isOver.isSet {
            turn += 1
            let topic = "own-\(turn % 4)-\(rounds[turn % 4].value)"
            try await client.subscribe(topic, as: "intruder", lastN: 10)
            try await client.publish([1000 + turn], to: topic)
            if turn % 3 == 0 { try await client.unsubscribe(topic, as: "intruder") }
            _ = try await client.receive()
            if turn % 10 == 0 {
                await client.close()
                client = try await TestClient(port: port)
            }
        }
        await client.close()
    }

    @Test func `throttling across two loops loses nothing`() async throws {
        let configuration = Self.configuration {
            $0.delivery.overflow = .throttle
            $0.delivery.queue = 20
        }
        try await withServer(configuration) { port in
            try await REST(port: port).createTopic("t")
            var subscribers: [TestClient] = []
            for _ in 0..<4 {
                let subscriber = try await TestClient(port: port, inbox: 4, receiveBuffer: 4096)
                try await subscriber.subscribe("t")
                try await subscriber.expectAcks(1)
                subscribers.append(subscriber)
            }
            let orders = try await withThrowingTaskGroup(of: [Int].self) { tasks in
                for (index, subscriber) in subscribers.enumerated() {
                    tasks.addTask { try await subscriber.events(1200, limit: index + 1) }
                }
                for publisher in 0..<4 {
                    tasks.addTask {
                        let client = try await TestClient(port: port)
                        let numbers = publisher * 300..<(publisher + 1) * 300
                        try await client.publish(numbers, to: "t", padding: 4000, window: 30)
                        await client.close()
                        return []
                    }
                }
                return try await tasks.reduce(into: [[Int]]()) { if !$1.isEmpty { $0.append($1) } }
            }
            let first = try #require(orders.first)
            #expect(first.sorted() == Array(0..<1200))
            #expect(orders.count == 4 && orders.allSatisfy { $0 == first })
        }
    }
}

/// Set once something is over.
private final class OverFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() { flag.store(true, ordering: .releasing) }
}

/// How far somebody is.
private final class RoundNumber: Sendable {
    private let number = Atomic(0)

    var value: Int { number.load(ordering: .acquiring) }

    func set(_ value: Int) { number.store(value, ordering: .releasing) }
}
