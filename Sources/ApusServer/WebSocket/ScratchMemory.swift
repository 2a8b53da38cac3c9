/// Memory of one event loop that a frame's payload is unmasked into, and read from before the next frame comes.
///
/// A frame larger than ``usual`` bytes gets memory of its own for as long as it is read.
final class ScratchMemory {
    static let usual = 64 * 1024
    private let memory: UnsafeMutableRawBufferPointer

    init() {
        memory = .allocate(byteCount: Self.usual, alignment: 16)
    }

    deinit {
        memory.deallocate()
    }

    /// Calls `body` with memory for at least `size` bytes, which is its own until it returns.
    @inline(__always)
    func withBytes<Result>(_ size: Int, _ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        guard size > memory.count else { return body(memory) }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { larger.deallocate() }
        return body(larger)
    }
}
