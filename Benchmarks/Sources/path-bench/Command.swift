/// `path-bench WORK MESSAGES WINDOW SUBSCRIBERS [SCANS]`: see `path-instructions`, which runs it.
@main
enum PathBenchCommand {
    static func main() throws {
        let words = CommandLine.arguments.dropFirst()
        let numbers = words.dropFirst().compactMap { Int($0) }
        guard let work = words.first.flatMap({ Work(rawValue: $0) }), (3...4).contains(numbers.count),
            numbers[0] > 0, numbers[1] > 0, numbers[2] >= 0
        else {
            fatalError("usage: path-bench scan|publish|extended MESSAGES WINDOW SUBSCRIBERS [SCANS]")
        }
        var bench = try PathBench(work, subscribers: numbers[2], scans: numbers.count > 3 ? numbers[3] : 1)
        print(try bench.run(messages: numbers[0], window: numbers[1]))
    }
}
