import ApusSockets
import Foundation
import Testing

/// Sockets with a file instead of a port.
@Suite struct UnixSocketTests {
    /// A folder that is gone afterwards.
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = "/tmp/apus-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    private func client(of path: String) throws -> Socket {
        let socket = Socket(descriptor: Foundation.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0))
        try Socket.withUnixAddress(path) { address, size throws(SocketError) in
            if connect(socket.descriptor, address, size) != 0 { throw SocketError("connect", code: errno) }
        }
        return socket
    }

    @Test func `clients are accepted at a path, and have no address`() throws {
        try withFolder { folder in
            let path = "\(folder)/s"
            let (listener, file) = try Socket.listening(atPath: path, mode: 0o600)
            defer { listener.close() }
            #expect(listener.localPath == path && listener.isListening)
            #expect(!listener.isBlocking && listener.isClosedByExec)
            let client = try client(of: path)
            defer { client.close() }
            let (accepted, peer) = try listener.acceptNext()
            defer { accepted.close() }
            #expect(peer.isUnix && peer.description == "unix")
            #expect(!accepted.isListening && accepted.localPath == path)
            client.send("hello")
            #expect(accepted.receiveText() == "hello")
            #expect(client.localPath == "")
            file.remove()
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test(arguments: [0o600, 0o660, 0o666, 0o777, 0o000])
    func `the file has the mode that was asked for`(mode: Int) throws {
        try withFolder { folder in
            let (listener, _) = try Socket.listening(atPath: "\(folder)/s", mode: UInt32(mode))
            defer { listener.close() }
            #expect(try self.mode("\(folder)/s") == mode)
        }
    }

    @Test func `the file of a dead server is replaced`() throws {
        try withFolder { folder in
            let path = "\(folder)/s"
            let (dead, old) = try Socket.listening(atPath: path, mode: 0o600)
            dead.close()
            let (listener, file) = try Socket.listening(atPath: path, mode: 0o640)
            defer { listener.close() }
            try client(of: path).close()
            // What is left of the old one is not the new one's.
            old.remove()
            #expect(try mode(path) == 0o640)
            file.remove()
            file.remove()
        }
    }

    @Test func `that of a living one is not, also when nobody more fits into its queue`() throws {
        try withFolder { folder in
            let path = "\(folder)/s"
            let (first, _) = try Socket.listening(atPath: path, mode: 0o600)
            defer { first.close() }
            listen(first.descriptor, 0)
            let waiting = try client(of: path)
            defer { waiting.close() }
            for _ in 0..<2 {
                let error = #expect(throws: SocketError.self) { try Socket.listening(atPath: path, mode: 0o600) }
                #expect(error?.code == EADDRINUSE)
            }
            #expect(FileManager.default.fileExists(atPath: path))
        }
    }

    @Test func `what is no socket is left as it is`() throws {
        try withFolder { folder in
            let path = "\(folder)/s"
            try Data("mine".utf8).write(to: URL(filePath: path))
            let error = #expect(throws: SocketError.self) { try Socket.listening(atPath: path, mode: 0o600) }
            #expect(error?.code == EEXIST)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
        }
    }

    @Test func `a folder that is not there, or is no folder, is an error`() {
        for (path, code) in [("/nonexistent/apus.sock", ENOENT), ("/dev/null/apus.sock", ENOTDIR)] {
            let error = #expect(throws: SocketError.self) { try Socket.listening(atPath: path, mode: 0o600) }
            #expect(error?.code == code)
        }
    }

    @Test(arguments: ["", "/" + String(repeating: "x", count: Socket.maximumPathLength), "/tmp/a\0b"])
    func `a path that fits into no address is refused`(path: String) {
        let error = #expect(throws: SocketError.self) { try Socket.listening(atPath: path, mode: 0o600) }
        #expect(error?.call == "path")
    }

    @Test func `a folder that others have locked does not keep a server from starting`() throws {
        try withFolder { folder in
            let other = open(folder, O_RDONLY | O_DIRECTORY)
            defer { close(other) }
            #expect(flock(other, LOCK_EX) == 0)
            let (listener, file) = try Socket.listening(atPath: "\(folder)/s", mode: 0o600)
            file.remove()
            listener.close()
        }
    }

    @Test func `only a stream socket that listens is taken from somebody else`() throws {
        let (near, far) = try Socket.pair()
        let datagrams = Socket(descriptor: Foundation.socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0))
        let listener = try Socket.listening(on: "127.0.0.1", port: 0)
        defer { for socket in [near, far, datagrams, listener] { socket.close() } }
        #expect(listener.isListening)
        #expect(!near.isListening && !datagrams.isListening && !Socket(descriptor: .max).isListening)
        #expect(listener.localPath == nil)
        datagrams.adopt()
        #expect(!datagrams.isBlocking && datagrams.isClosedByExec)
    }
}
