//! A small disk of its own for a directory: a tmpfs that can be made full, and large again.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::process::ClusterError;

/// Far more than a run writes. Only what is written takes memory.
const ROOMY_BYTES: u64 = 8 << 30;

/// See the module. Unmounted when it is dropped.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// Mounts one at `path`, a directory that is made here. None where this process may not mount.
    pub async fn mount(path: &Path) -> Result<Option<Self>, ClusterError> {
        std::fs::create_dir_all(path).map_err(|error| ClusterError::Io { what: path.display().to_string(), error })?;
        let options = format!("size={ROOMY_BYTES},mode=0700");
        let mounted = run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path)).await;
        Ok(mounted.then(|| Self { path: path.to_owned(), is_mounted: true }))
    }

    /// The name of the directory where it is mounted.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Leaves no more room than `left_bytes`. Returns whether that was possible: a disk that is written to meanwhile
    /// may hold more than its new size.
    pub async fn fill(&self, left_bytes: u64) -> bool {
        for more in 0..5_u64 {
            let Some(used) = self.used_bytes().await else { return false };
            if self.resize(used.saturating_add(left_bytes).saturating_add(more << 20)).await {
                return true;
            }
        }
        false
    }

    pub async fn empty(&self) -> bool {
        self.resize(ROOMY_BYTES).await
    }

    async fn resize(&self, bytes: u64) -> bool {
        run(Command::new("mount").args(["-o", &format!("remount,size={bytes}")]).arg(&self.path)).await
    }

    async fn used_bytes(&self) -> Option<u64> {
        let output = Command::new("df").args(["-B1", "--output=used"]).arg(&self.path).output().await.ok()?;
        String::from_utf8_lossy(&output.stdout).lines().last()?.trim().parse().ok()
    }

    /// Replaces it by an ordinary directory with its content, for later inspection.
    pub async fn keep(mut self) -> bool {
        let kept = self.path.with_extension("kept");
        self.is_mounted = !(run(Command::new("cp").arg("-a").arg(&self.path).arg(&kept)).await
            && run(Command::new("umount").arg(&self.path)).await);
        !self.is_mounted && std::fs::remove_dir(&self.path).is_ok() && std::fs::rename(&kept, &self.path).is_ok()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // Also when some process still has one of its files open.
            let _ = std::process::Command::new("umount").arg("-l").arg(&self.path).stderr(Stdio::null()).status();
        }
    }
}

async fn run(command: &mut Command) -> bool {
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    ended.is_ok_and(|status| status.success())
}
