//! `assize streams`: creates or verifies the streams and consumers, for whoever may do so in their cluster.

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::nats_server::Role;
use crate::streams;

use super::connection::{NatsArgs, Reached, ReplicasArgs};
use super::{DataArgs, Exit, output};

/// What to do with the streams.
#[derive(Debug, Subcommand)]
pub(crate) enum StreamsCommand {
    /// Create what is missing, and verify what is there. Needs credentials that may create streams.
    Create(CreateArgs),
    /// Verify that everything is there and as it must be.
    Verify(VerifyArgs),
}

/// Arguments of `assize streams create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    replicas: ReplicasArgs,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Arguments of `assize streams verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    nats: NatsArgs,
}

pub(crate) async fn run(command: StreamsCommand) -> anyhow::Result<Exit> {
    let (data, nats) = match &command {
        StreamsCommand::Create(args) => (&args.data, &args.nats),
        StreamsCommand::Verify(args) => (&args.data, &args.nats),
    };
    let reached = Reached::running(&data.root()?, nats, Role::Admin).await?;
    let done = match &command {
        StreamsCommand::Create(args) => {
            streams::create_or_verify(&reached.store, args.replicas.replicas).await
        }
        StreamsCommand::Verify(_) => streams::verify(&reached.store).await,
    };
    done.context("the event store is not as it must be")?;
    output::line("the streams and consumers are as they must be")?;
    Ok(Exit::Done)
}
