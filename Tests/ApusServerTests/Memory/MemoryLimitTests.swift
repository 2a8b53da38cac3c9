import Testing

@testable import ApusServer

/// What `max_memory` means, and what a control group allows.
@Suite struct MemoryLimitTests {
    @Test func `a share is of what there is, and a size is itself`() {
        #expect(MemoryLimit.share(75).bytes(of: 1000) == 750)
        #expect(MemoryLimit.share(100).bytes(of: 1 << 50) == 1 << 50)
        #expect(MemoryLimit.share(75).bytes(of: nil) == nil)
        #expect(MemoryLimit.bytes(5).bytes(of: 1000) == 5)
        #expect(MemoryLimit.bytes(0).bytes(of: 1000) == nil)
    }

    @Test func `the limits of the group and of all groups around it count`() {
        let files = [
            "/sys/fs/cgroup/a/b/memory.max": "max\n",
            "/sys/fs/cgroup/a/memory.max": "2000\n",
            "/sys/fs/cgroup/memory.max": "3000\n",
        ]
        #expect(AvailableMemory.groupLimits("0::/a/b\n") { files[$0] } == [nil, 2000, 3000])
        #expect(AvailableMemory.groupLimits("0::/\n") { files[$0] } == [3000])
    }

    @Test func `groups of version 1 have a file of another name, and a huge number for none`() {
        let text = "5:cpu,memory:/x\n1:name=systemd:/x\n"
        let files = [
            "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "4096\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        ]
        #expect(AvailableMemory.groupLimits(text) { files[$0] } == [4096, nil])
    }

    @Test(arguments: ["", "nonsense", "0:", "::", "0::/a\n\n"])
    func `a membership that says nothing limits nothing`(text: String) {
        #expect(AvailableMemory.groupLimits(text) { _ in nil }.allSatisfy { $0 == nil })
    }

    @Test func `this machine has memory, and the process uses some of it`() throws {
        let available = try #require(AvailableMemory.bytes)
        let reading = MemoryReading.now(enough: 0)
        #expect(available > 64 << 20)
        #expect(reading.resident > 1 << 20 && reading.resident < available)
        #expect(reading.allocated > 0)
    }

    /// In a process of its own: the tests beside it allocate and free as well.
    @Test func `what is allocated and touched counts, and no more once it is freed`() async {
        await #expect(processExitsWith: .success) {
            let before = MemoryReading.now(enough: 0)
            let size = 64 << 20
            let bytes = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
            bytes.initializeMemory(as: UInt8.self, repeating: 1, count: size)
            let during = MemoryReading.now(enough: 0)
            bytes.deallocate()
            let after = MemoryReading.now(enough: 0)
            #expect(during.allocated - before.allocated > size / 2)
            #expect(during.allocated - after.allocated > size / 2)
        }
    }
}
