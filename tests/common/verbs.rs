//! What a test does with a node, however it reaches it.

/// Gives a type the verbs, over its own `get`, `post` and `put`.
macro_rules! verbs {
    ($node:ty) => {
        impl $node {
            /// An authorized payment of `MERCHANT-1`.
            pub async fn authorize(&self, amount: i64) -> Payment {
                self.authorize_for("MERCHANT-1", amount).await
            }

            pub async fn authorize_for(&self, merchant: &str, amount: i64) -> Payment {
                let answer = self.post("/payments/authorize", &order(merchant, amount)).await.expect(200);
                let body = answer.json();
                assert_eq!(body["status"], "AUTHORIZED");
                Payment { id: body["paymentId"].as_str().unwrap().to_owned(), merchant: merchant.to_owned() }
            }

            /// A payment whose money is taken.
            pub async fn captured(&self, amount: i64) -> Payment {
                let payment = self.authorize(amount).await;
                self.capture(&payment, json!({})).await.expect(200);
                self.eventually(&payment, "CAPTURED").await;
                payment
            }

            /// Asks for a capture; `more` are further members of the body.
            pub async fn capture(&self, payment: &Payment, more: Value) -> Answer {
                self.change("capture", payment, more).await
            }

            pub async fn void(&self, payment: &Payment, more: Value) -> Answer {
                self.change("void", payment, more).await
            }

            /// As `capture`; with a key of its own, if it is of an amount and has none.
            pub async fn refund(&self, payment: &Payment, mut more: Value) -> Answer {
                if !more["amount"].is_null() && more["idempotencyKey"].is_null() {
                    more["idempotencyKey"] = json!(new_key());
                }
                self.change("refund", payment, more).await
            }

            async fn change(&self, operation: &str, payment: &Payment, more: Value) -> Answer {
                let mut body = json!({"merchantId": payment.merchant});
                body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                self.post(&format!("/payments/{operation}/{}", payment.id), &body).await
            }

            /// Holds a breaker to a state, or lets it go its own way again.
            pub async fn force_breaker(&self, name: &str, state: Option<&str>) {
                let order = json!({"state": state, "reason": "a test"});
                self.put(&format!("/admin/breakers/{name}"), &order).await.expect(200);
            }

            /// Injects a fault into actors.
            pub async fn inject(&self, fault: Value) {
                self.post("/admin/faults", &fault).await.expect(200);
            }

            /// The actors of this name in the tree.
            pub async fn actors(&self, name: &str) -> Vec<Value> {
                let tree = self.get("/admin/actors").await.expect(200).json();
                let found = actors_of(&tree, name);
                assert!(!found.is_empty(), "no {name} in {tree:#}");
                found
            }

            /// How often actors of this name were restarted.
            pub async fn restarts(&self, name: &str) -> u64 {
                self.actors(name).await.iter().map(|actor| actor["restarts"].as_u64().unwrap()).sum()
            }

            pub async fn look_up(&self, payment: &Payment) -> Value {
                self.get(&format!("/payments/{}", payment.id)).await.expect(200).json()
            }

            /// Waits until the payment has this status, and gives it.
            pub async fn eventually(&self, payment: &Payment, status: &str) -> Value {
                eventually(&format!("{} {status}", payment.id), async || {
                    Some(self.look_up(payment).await).filter(|found| found["status"] == status)
                })
                .await
            }

            /// Waits until the payment has `count` ledger entries, and gives them.
            pub async fn ledger(&self, payment: &Payment, count: usize) -> Vec<Value> {
                eventually(&format!("{count} ledger entries of {}", payment.id), async || {
                    let found = self.get(&format!("/payments/{}?expand=ledger", payment.id)).await.expect(200).json();
                    let entries = found["ledger"].as_array().unwrap().clone();
                    (entries.len() >= count).then_some(entries)
                })
                .await
            }
        }
    };
}
