import ApusTesting
import NIOCore
import Testing

@testable import ApusServer

@Suite struct OutboxTests {
    /// A text frame that says `name`.
    private func frame(_ name: String, size: Int = 0) -> ByteBuffer { ServerFrame.text(name, size: size) }

    /// The names of all frames that the peer has read.
    private func names(_ rig: OutboxRig) throws -> [String] {
        try #require(ServerFrame.decode(rig.received)).map(\.word)
    }

    /// A rig whose socket is full, with the frame at work and events behind it.
    private func fullRig() throws -> OutboxRig {
        let rig = try OutboxRig()
        var events = ByteBuffer()
        for number in 0..<3 { events.writeImmutableBuffer(frame("e\(number)", size: 8000)) }
        rig.outbox.writeEvents(events)
        _ = rig.flush()
        #expect(rig.outbox.isBlocked)
        return rig
    }

    @Test func `what the socket takes at once is gone at once, and its memory given back`() throws {
        let rig = try OutboxRig()
        #expect(rig.outbox.isDrained && !rig.outbox.hasUnflushed && rig.outbox.isWritable)
        let bytes = frame("a")
        rig.outbox.writeControl(bytes)
        #expect(rig.outbox.hasUnflushed && !rig.outbox.isDrained && rig.outbox.answerBytes == bytes.readableBytes)
        guard case .sent(let sent) = rig.flush() else {
            Issue.record("it was not sent")
            return
        }
        #expect(sent == bytes && rig.outbox.isDrained && !rig.outbox.hasUnflushed && rig.outbox.answerBytes == 0)
        rig.read(100)
        #expect(try names(rig) == ["a"])
    }

    @Test func `a flush of nothing does nothing`() throws {
        let rig = try OutboxRig()
        guard case .drained = rig.flush() else {
            Issue.record("something was flushed")
            return
        }
        #expect(rig.decidedBytes == 0)
    }

    @Test func `control overtakes events that wait, but not what is at work`() throws {
        let rig = try fullRig()
        rig.outbox.writeControl(frame("c0"))
        rig.outbox.writeControl(frame("c1"))
        #expect(!rig.outbox.hasUnflushed)
        rig.drain()
        #expect(try names(rig) == ["e0", "c0", "c1", "e1", "e2"])
    }

    @Test func `control overtakes events before a flush, too`() throws {
        let rig = try OutboxRig()
        for number in 0..<3 { rig.outbox.writeEvents(frame("e\(number)")) }
        rig.outbox.writeControl(frame("c0"))
        rig.outbox.writeEvents(frame("e3"))
        rig.outbox.writeControl(frame("c1"))
        _ = rig.flush()
        rig.drain()
        #expect(try names(rig) == ["c0", "c1", "e0", "e1", "e2", "e3"])
    }

    @Test func `with keepOrder answers stay behind the events at hand, and no longer`() throws {
        let rig = try fullRig()
        rig.outbox.writeControl(frame("c0"))
        rig.outbox.keepOrder()
        rig.outbox.writeControl(frame("c1"))
        rig.outbox.writeControl(frame("c2"))
        rig.drain()
        #expect(try names(rig) == ["e0", "c0", "e1", "e2", "c1", "c2"])
        // All is gone: the order is loose again.
        rig.outbox.writeEvents(frame("e3", size: 20_000))
        rig.outbox.writeEvents(frame("e4", size: 20_000))
        _ = rig.flush()
        rig.outbox.writeControl(frame("c3"))
        rig.drain()
        #expect(try names(rig).suffix(3) == ["e3", "c3", "e4"])
    }

    @Test func `keepOrder without events at hand changes nothing`() throws {
        let rig = try OutboxRig()
        rig.outbox.keepOrder()
        rig.outbox.writeEvents(frame("e0"))
        rig.outbox.writeControl(frame("c0"))
        _ = rig.flush()
        rig.drain()
        #expect(try names(rig) == ["c0", "e0"])
    }

    @Test func `answers that were kept in order are not overtaken by later ones when they are cut off`() throws {
        let rig = try fullRig()
        rig.outbox.keepOrder()
        rig.outbox.writeControl(frame("c0"))
        // Step by step, so that the lane is taken, sent in part, and put back, while more is answered.
        for number in 1...8 {
            rig.read(3000)
            rig.becomeWritable()
            rig.outbox.writeControl(frame("c\(number)"))
        }
        rig.drain()
        let all = try names(rig)
        #expect(all.filter { $0.hasPrefix("c") } == (0...8).map { "c\($0)" })
        #expect(all.filter { $0.hasPrefix("e") } == ["e0", "e1", "e2"])
        #expect(try #require(all.firstIndex(of: "c0")) > #require(all.firstIndex(of: "e2")))
    }

    @Test func `events are not taken while the socket is full, or beyond the high-water mark`() throws {
        let full = try fullRig()
        #expect(!full.outbox.isWritable)
        full.drain()
        #expect(full.outbox.isWritable)
        // What was put back and sent later is counted once.
        full.outbox.writeEvents(frame("e3", size: Outbox.highWater))
        #expect(!full.outbox.isWritable)
        full.drain()
        #expect(full.outbox.isWritable)
        let rig = try OutboxRig()
        rig.outbox.writeEvents(frame("e0", size: Outbox.highWater - 1000))
        #expect(rig.outbox.isWritable)
        rig.outbox.writeEvents(frame("e1", size: 1000))
        #expect(!rig.outbox.isWritable)
        // Answers are none of its concern.
        rig.outbox.writeControl(frame("c0", size: 2 * Outbox.highWater))
        rig.drain()
        #expect(rig.outbox.isWritable && rig.outbox.answerBytes == 0)
        #expect(try names(rig) == ["c0", "e0", "e1"])
    }

    @Test(arguments: [125, 126, 65_535, 65_536, 1_000_000, 3_000_000])
    func `a frame of any size arrives whole, with small ones around it`(size: Int) throws {
        for isEvents in [true, false] {
            let rig = try OutboxRig()
            var first = frame("a")
            first.writeImmutableBuffer(frame("b", size: size))
            first.writeImmutableBuffer(frame("c"))
            if isEvents { rig.outbox.writeEvents(first) } else { rig.outbox.writeControl(first) }
            _ = rig.flush()
            rig.outbox.writeControl(frame("d"))
            rig.drain()
            let frames = try #require(ServerFrame.decode(rig.received))
            #expect(frames.map(\.payload.count).max() == size)
            #expect(Set(try names(rig)) == ["a", "b", "c", "d"] && frames.count == 4)
            #expect(rig.outbox.isDrained)
        }
    }

    @Test func `text of a stream arrives in one piece and in its order, wherever the socket cuts it`() throws {
        let rig = try OutboxRig(.text)
        var expected: [UInt8] = []
        for number in 0..<40 {
            // Bytes that would be heads of frames, if they were read as such.
            let text = [UInt8](repeating: UInt8(number), count: 5000)
            expected += text
            rig.outbox.writeEvents(ByteBuffer(bytes: text))
            _ = rig.flush()
            if number % 7 == 0 { rig.read(3000) }
        }
        #expect(rig.outbox.isBlocked && !rig.outbox.isWritable)
        rig.drain()
        #expect(rig.received == expected && rig.outbox.isWritable)
    }

    @Test func `batches of a subscriber that is behind go out together, each byte once`() throws {
        let rig = try OutboxRig(sendBuffer: 1 << 20)
        for number in 0..<4 { rig.outbox.writeEvents(frame("e\(number)", size: 60_000)) }
        rig.outbox.writeControl(frame("c0"))
        guard case .drained = rig.flush() else {
            Issue.record("the socket had room for all of it")
            return
        }
        #expect(rig.outbox.isDrained && rig.outbox.pendingBytes == 0)
        rig.drain()
        #expect(try names(rig) == ["c0", "e0", "e1", "e2", "e3"])
    }

    @Test(arguments: [1499, 4000, 20_000, 70_000])
    func `whichever of several pieces the socket cuts, control goes behind the frame at work`(portion: Int) throws {
        let rig = try OutboxRig()
        // Each write is a piece of its own, of two frames.
        for number in 0..<3 {
            var batch = frame("a\(number)", size: 20_000)
            batch.writeImmutableBuffer(frame("b\(number)", size: 20_000))
            rig.outbox.writeEvents(batch)
        }
        _ = rig.flush()
        #expect(rig.outbox.isBlocked)
        var controls = 0
        while !rig.outbox.isDrained {
            if controls < 6 {
                rig.outbox.writeControl(frame("c\(controls)"))
                controls += 1
            }
            rig.read(portion)
            rig.becomeWritable()
        }
        rig.drain()
        let all = try names(rig)
        #expect(all.filter { $0.first != "c" } == ["a0", "b0", "a1", "b1", "a2", "b2"])
        #expect(all.filter { $0.first == "c" } == (0..<controls).map { "c\($0)" })
        // The first was written when a frame was at work and others waited: it is not behind those.
        #expect(try #require(all.firstIndex(of: "c0")) < #require(all.firstIndex(of: "b2")))
    }

    @Test func `a close frame that is to keep the order goes behind all pieces that wait`() throws {
        let rig = try OutboxRig()
        for number in 0..<5 { rig.outbox.writeEvents(frame("e\(number)", size: 30_000)) }
        _ = rig.flush()
        #expect(rig.outbox.isBlocked)
        rig.outbox.keepOrder()
        rig.outbox.writeControl(frame("close"))
        rig.drain()
        #expect(try names(rig) == ["e0", "e1", "e2", "e3", "e4", "close"])
        #expect(rig.outbox.isDrained && rig.outbox.answerBytes == 0)
    }

    @Test func `pieces of text keep their order, wherever the socket cuts them`() throws {
        let rig = try OutboxRig(.text)
        var expected: [UInt8] = []
        for number in 0..<7 {
            let text = [UInt8](repeating: UInt8(number), count: 30_000)
            expected += text
            rig.outbox.writeEvents(ByteBuffer(bytes: text))
        }
        rig.flush()
        #expect(rig.outbox.isBlocked)
        while !rig.outbox.isDrained {
            rig.read(7001)
            rig.becomeWritable()
        }
        rig.drain()
        #expect(rig.received == expected)
    }

    @Test func `a broken socket is reported, not written to`() throws {
        let rig = try OutboxRig()
        rig.hangUp()
        rig.outbox.writeEvents(frame("e0"))
        guard case .failed = rig.flush() else {
            Issue.record("a broken socket took a frame")
            return
        }
    }
}
