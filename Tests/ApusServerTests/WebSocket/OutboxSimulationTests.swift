import ApusTesting
import NIOCore
import Testing

@testable import ApusServer

/// Random writes, flushes and reads, against what the lanes promise.
@Suite struct OutboxSimulationTests {
    /// What is known of a frame when it is written.
    private struct Written {
        let name: String
        let isControl: Bool
        /// For control: everything from here on that is no control is behind it; `nil` while the order is kept.
        var boundary: Int?
        /// For control that keeps the order: how many events are before it at the least.
        var eventsBefore: Int?
    }

    /// One run: what was written, and what the peer has in the end.
    private struct Run {
        var generator: SeededGenerator
        let rig: OutboxRig
        var written: [Written] = []
        var writtenBytes = 0
        var events = 0
        var controls = 0
        var isOrdered = false

        mutating func frame(_ name: String) -> ByteBuffer {
            let range =
                switch Int.random(in: 0..<100, using: &generator) {
                case 0..<60: 5...60
                case 60..<80: 120...130
                case 80..<96: 200...3000
                case 96..<99: 65_530...65_540
                default: 100_000...300_000
                }
            let size = Int.random(in: range, using: &generator)
            return ServerFrame.text(name, size: size)
        }

        mutating func step() {
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<30: writeEvents()
            case 30..<45: writeControl()
            case 45..<50: keepOrder()
            case 50..<65: _ = rig.flush()
            case 65..<90: rig.read(Int.random(in: 1...6000, using: &generator))
            case 90..<97: rig.becomeWritable()
            default:
                for _ in 0..<Int.random(in: 1...100, using: &generator) {
                    rig.read(Int.random(in: 1...6000, using: &generator))
                    rig.becomeWritable()
                }
            }
            if isOrdered, waitingBytes == rig.controlBytes { isOrdered = false }
        }

        /// Bytes of both lanes.
        private var waitingBytes: Int { writtenBytes - rig.decidedBytes }

        private mutating func writeEvents() {
            // As the owner does.
            guard rig.outbox.isWritable else { return }
            var buffer = ByteBuffer()
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                let name = "e\(events)"
                events += 1
                written.append(Written(name: name, isControl: false))
                buffer.writeImmutableBuffer(frame(name))
            }
            writtenBytes += buffer.readableBytes
            rig.outbox.writeEvents(buffer)
        }

        private mutating func writeControl() {
            // The owner reads no more then.
            guard rig.outbox.answerBytes < WebSocketConnection.maxPendingReplies else { return }
            let name = "c\(controls)"
            controls += 1
            var note = Written(name: name, isControl: true)
            if isOrdered { note.eventsBefore = events } else { note.boundary = rig.decidedBytes }
            written.append(note)
            let buffer = frame(name)
            writtenBytes += buffer.readableBytes
            rig.outbox.writeControl(buffer)
        }

        private mutating func keepOrder() {
            rig.outbox.keepOrder()
            // Only what waits among the events has an order to keep.
            isOrdered = waitingBytes > rig.controlBytes
        }
    }

    @Test(arguments: 0..<24)
    func `nothing is lost, doubled or cut, and control goes first unless told otherwise`(seed: Int) throws {
        let rig = try OutboxRig()
        var run = Run(generator: SeededGenerator(seed: UInt64(seed)), rig: rig)
        for _ in 0..<1500 { run.step() }
        rig.drain()
        #expect(rig.outbox.isDrained && rig.outbox.answerBytes == 0, "seed \(seed)")
        #expect(rig.received.count == run.writtenBytes, "seed \(seed)")

        let frames = try #require(ServerFrame.decode(rig.received), "seed \(seed)")
        let names = frames.map(\.word)
        #expect(names.filter { $0.hasPrefix("e") } == (0..<run.events).map { "e\($0)" }, "seed \(seed)")
        #expect(names.filter { $0.hasPrefix("c") } == (0..<run.controls).map { "c\($0)" }, "seed \(seed)")
        #expect(run.events > 50 && run.controls > 50, "seed \(seed)")

        // Where each frame starts in the stream, and how many events are before it.
        var starts: [String: Int] = [:]
        var eventsBefore: [String: Int] = [:]
        var lastEvent: [Int] = []
        var position = 0
        var count = 0
        for (name, frame) in zip(names, frames) {
            starts[name] = position
            eventsBefore[name] = count
            if name.hasPrefix("e") {
                lastEvent.append(position)
                count += 1
            }
            let payload = frame.payload.count
            position += payload + (payload < 126 ? 2 : payload <= 0xFFFF ? 4 : 10)
        }
        for note in run.written where note.isControl {
            let before = try #require(eventsBefore[note.name])
            if let least = note.eventsBefore {
                #expect(before >= least, "seed \(seed): \(note.name) was to keep the order")
            }
            if let boundary = note.boundary, before > 0 {
                #expect(lastEvent[before - 1] < boundary, "seed \(seed): \(note.name) waited for events")
            }
        }
    }
}
