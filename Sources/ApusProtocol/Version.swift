/// The version of Apus, as `apus --version`, `/health` and the API docs say it.
public let apusVersion = "0.1.0"
