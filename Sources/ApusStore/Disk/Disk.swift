/// The folder of a store: on a file system, or simulated.
package protocol Disk: Sendable {
    /// Makes a file, which must not exist yet, with room for so many bytes as ``DiskFile/allocate(_:)`` has it.
    ///
    /// It may be gone after a crash until ``syncNames()`` has returned.
    func create(_ name: String, size: Int) throws(DiskError) -> any DiskFile
    func open(_ name: String) throws(DiskError) -> any DiskFile
    /// The names of all files.
    func names() throws(DiskError) -> [String]
    /// When this returns, the name is gone. The file's room may become free a little later.
    func remove(_ name: String) throws(DiskError)
    /// Makes what was created and removed last beyond a crash of the machine.
    func syncNames() throws(DiskError)
}

/// An open file. Closed when it is let go of.
package protocol DiskFile: AnyObject, Sendable {
    var name: String { get }
    func size() throws(DiskError) -> Int
    /// Has the file be at least so large. What is new of it reads as zeros, and there will be room to write it.
    func allocate(_ size: Int) throws(DiskError)
    /// Writes all of the parts, one after the other. After a crash any part of them may be there, until ``sync()`` has
    /// returned.
    func write(_ parts: [UnsafeRawBufferPointer], at place: Int) throws(DiskError)
    /// Reads until the room is full or the file ends. Returns the number of bytes.
    func read(into room: UnsafeMutableRawBufferPointer, at place: Int) throws(DiskError) -> Int
    /// Makes all that was written beyond a crash of the machine. After it has failed, nothing is known about what was
    /// written, and calling it again tells nothing.
    func sync() throws(DiskError)
    func truncate(to size: Int) throws(DiskError)
    /// Has what was written begin to go to the disk, without waiting for it, so that a later ``sync()`` takes less
    /// long. Promises nothing.
    func beginSync(of bytes: Range<Int>)
}

/// A call of the file system that failed.
package struct DiskError: Error, Hashable, CustomStringConvertible {
    /// The call, for example `pwritev`.
    package let call: String
    /// The file; empty for the folder itself.
    package let name: String
    /// The value of `errno`.
    package let code: CInt

    package init(_ call: String, _ name: String, code: CInt) {
        self.call = call
        self.name = name
        self.code = code
    }
}
