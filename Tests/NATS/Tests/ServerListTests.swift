#if NATS
import Testing

@testable import ApusNATS

@Suite struct ServerListTests {
    @Test func theServerThatWasLeftIsTriedLast() {
        var list = ServerList(["nats://a:1", "nats://b:1", "nats://c:1"])
        list.connected(to: "nats://b:1")
        #expect([list.next(), list.next(), list.next()] == ["nats://a:1", "nats://c:1", "nats://b:1"])
    }

    @Test func serversOfTheClusterAreReachedLikeTheOneThatToldOfThem() {
        var list = ServerList(["tls://u:p@a:1"])
        list.learn(["nats://a:1", "b:2"], from: "tls://u:p@a:1")
        #expect(list.round() == ["tls://u:p@b:2", "tls://u:p@a:1"])
    }

    @Test func onlyOnceAllWereTriedIsThereAWait() {
        var list = ServerList(["nats://a:1", "nats://b:1"])
        #expect(list.delay() == .zero)
        _ = list.next()
        #expect(list.delay() == .zero)
        _ = list.next()
        #expect((Duration.milliseconds(50)...Duration.milliseconds(200)).contains(list.delay()))
        for _ in 0..<100 { _ = list.next() }
        #expect((ServerList.longestDelay / 2...ServerList.longestDelay).contains(list.delay()))
        list.connected(to: "nats://a:1")
        #expect(list.delay() == .zero)
    }

    @Test func rememberedServersAreBounded() {
        var list = ServerList(["nats://a:1"])
        list.learn((0..<1000).map { "b:\($0)" }, from: "nats://a:1")
        #expect(list.round().count == NATSSettings.Limit.servers)
    }

    @Test func aPasswordIsNotShown() {
        #expect(NATSFailure.hidingPassword(of: "nats://user:p@ss@host:1") == "nats://host:1")
        #expect(NATSFailure.hidingPassword(of: "nats://host:1") == "nats://host:1")
    }
}
#endif
