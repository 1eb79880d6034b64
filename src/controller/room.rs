//! Room for reconciles. One that takes long, because it waits for a server that does not answer, gives its
//! place to others and goes on beside them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A reconcile that runs longer gives its place away.
const LONG: Duration = Duration::from_secs(5);
/// Most reconciles that go on beside the others.
const BESIDE: usize = 256;

/// Places for reconciles at the same time.
#[derive(Clone)]
pub struct Room {
    places: Arc<Semaphore>,
    size: usize,
    beside: Arc<Semaphore>,
}

impl Room {
    /// Room for so many at the same time.
    pub fn new(size: usize) -> Self {
        let (places, beside) = (Arc::new(Semaphore::new(size)), Arc::new(Semaphore::new(BESIDE)));
        Self { places, size, beside }
    }

    /// Waits for a place.
    pub async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            // It is never closed.
            if let Ok(place) = self.places.clone().acquire_owned().await {
                return place;
            }
        }
    }

    /// Works in a place, which is free as soon as the work takes long.
    pub async fn work<T>(&self, place: OwnedSemaphorePermit, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(LONG, &mut work).await {
            return done;
        }
        let beside = self.beside.try_acquire();
        let _kept = beside.is_err().then_some(place);
        work.await
    }

    /// Waits until nobody works in a place.
    pub async fn empty(&self) {
        let all = u32::try_from(self.size).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_gives_its_place_to_others() {
        let room = Room::new(1);
        let place = room.place().await;
        let hanging = tokio::spawn({
            let room = room.clone();
            async move { room.work(place, std::future::pending::<()>()).await }
        });
        let soon = tokio::time::timeout(Duration::from_secs(4), room.place()).await;
        assert!(soon.is_err(), "it may still be quick");
        let place = tokio::time::timeout(Duration::from_secs(2), room.place()).await.unwrap();
        assert_eq!(room.work(place, async { "done" }).await, "done");
        room.empty().await;
        hanging.abort();
    }
}
