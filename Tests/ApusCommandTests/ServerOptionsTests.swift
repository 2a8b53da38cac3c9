import ApusServer
import ArgumentParser
import Testing

@testable import apus

@Suite struct ServerOptionsTests {
    @Test(arguments: Setting.all.map(\.key))
    func `every setting has a flag`(key: String) throws {
        let setting = try #require(Setting.all.first { $0.key == key })
        let options = try ServerOptions.parse(["--\(setting.flag)", "value"])
        let given = options.flags.filter { !$0.value.isEmpty }
        #expect(given == [key: ["value"]])
        let help = ServerOptions.helpMessage(columns: 1000)
        #expect(help.contains("--\(setting.flag) <\(setting.valueName)>"))
        #expect(help.contains("(env: \(setting.environmentNames[0]); default: \(setting.defaultText))"))
    }

    @Test func `keys may be given several times`() throws {
        let options = try ServerOptions.parse(["--api-key", "a", "--api-key", "b", "--config", "f"])
        #expect(options.flags["api_keys"] == ["a", "b"])
        #expect(options.config == "f")
    }
}
