# The formula for a tap. The release workflow puts the version and the checksums in place of the words in capitals.
class Seawall < Formula
  desc "Manage the policies that restrict AI agents as code"
  homepage "https://github.com/REPOSITORY"
  version "VERSION"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "https://github.com/REPOSITORY/releases/download/vVERSION/seawall-vVERSION-aarch64-apple-darwin.tar.gz"
      sha256 "SHA256_AARCH64_APPLE_DARWIN"
    end
    on_intel do
      url "https://github.com/REPOSITORY/releases/download/vVERSION/seawall-vVERSION-x86_64-apple-darwin.tar.gz"
      sha256 "SHA256_X86_64_APPLE_DARWIN"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/REPOSITORY/releases/download/vVERSION/seawall-vVERSION-aarch64-unknown-linux-musl.tar.gz"
      sha256 "SHA256_AARCH64_UNKNOWN_LINUX_MUSL"
    end
    on_intel do
      url "https://github.com/REPOSITORY/releases/download/vVERSION/seawall-vVERSION-x86_64-unknown-linux-musl.tar.gz"
      sha256 "SHA256_X86_64_UNKNOWN_LINUX_MUSL"
    end
  end

  def install
    bin.install "seawall"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/seawall.bash" => "seawall"
    zsh_completion.install "completions/seawall.zsh" => "_seawall"
    fish_completion.install "completions/seawall.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/seawall --version")
  end
end
