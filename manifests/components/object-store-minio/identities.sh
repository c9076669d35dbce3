# MinIO's users and their policies, made if they are absent; the keys become the ones in the Secret.
set -eu
until mc --quiet alias set store "$ENDPOINT" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY"; do sleep 2; done
while read -r name access secret; do
  if [ "$name" = admin ]; then continue; fi
  mc admin policy create store "$name" "/setup/$name.json"
  mc admin user add store "$access" "$secret"
  mc admin policy attach store "$name" --user "$access" ||
    case "$(mc admin user info store "$access")" in *"$name"*) ;; *) exit 1 ;; esac  # attached already
done < /keys/keys
