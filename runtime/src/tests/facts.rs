//! What we rely on in actix 0.13 and tokio, without our own code.

use std::rc::Rc;

use actix::fut::wrap_future;
use actix::{Actor as _, AsyncContext as _};
use tokio::task::spawn_local;

use super::local;

struct Bare(Option<Rc<()>>);

impl actix::Actor for Bare {
    type Context = actix::Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let owned = self.0.take();
        context.spawn(wrap_future(async move {
            let _owned = owned;
            tokio::task::yield_now().await;
            panic!("in a context");
        }));
    }
}

#[tokio::test]
async fn panic_in_a_context_reaches_its_task_and_drops_its_state() {
    local(async {
        let owned = Rc::new(());
        let context = actix::Context::new();
        let address = context.address();
        let task = spawn_local(context.into_future(Bare(Some(owned.clone()))));
        let neighbour = spawn_local(async { 7 });
        let error = task.await.unwrap_err();
        assert!(error.is_panic());
        assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&"in a context"));
        assert_eq!(Rc::strong_count(&owned), 1);
        assert!(!address.connected());
        assert_eq!(neighbour.await.unwrap(), 7);
    })
    .await;
}

#[tokio::test]
async fn started_actors_need_a_local_set_only() {
    local(async {
        let address = Bare(None).start();
        super::until(|| !address.connected()).await;
    })
    .await;
}
