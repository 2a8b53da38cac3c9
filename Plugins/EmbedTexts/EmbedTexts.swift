import Foundation
import PackagePlugin

/// Makes every file below a target's `Resources` folder a string in its code: `EmbeddedTexts.docs_page_js` for
/// `docs/page.js`.
@main
struct EmbedTexts: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let folder = target.directoryURL.appending(path: "Resources")
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted().filter { name in
            let path = folder.appending(path: name).path
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
        }
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedTexts.swift")
        return [
            .buildCommand(
                displayName: "Embedding \(names.count) texts",
                executable: try context.tool(named: "EmbedTextsTool").url,
                arguments: [output.path, folder.path] + names,
                inputFiles: names.map { folder.appending(path: $0) },
                outputFiles: [output]
            )
        ]
    }
}
